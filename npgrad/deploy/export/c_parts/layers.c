/* Layers and their backward passes; W (n, m) row by row. */

/*= */
static int npg_all_finite(const npg_real *x, int n)
{
    int i, finite = 1;
    for (i = 0; i < n; i++)
        finite &= npg_finite(x[i]);
    return finite;
}

/*= double */
/* x = clip((obs - mean) / std) */
static void npg_normalise(const npg_real *obs, npg_real *x)
{
    int i;
    for (i = 0; i < NPG_N_IN; i++) {
        npg_real z = (obs[i] - npg_mean[i]) / npg_std[i];
        z = z < -NPG_BOUND ? -NPG_BOUND : z;
        x[i] = z > NPG_BOUND ? NPG_BOUND : z;
    }
}

/*= float */
/* x = clip((obs - mean) / std); the mean in two floats, so that a large one costs no digits */
static void npg_normalise(const npg_real *obs, npg_real *x)
{
    int i;
    for (i = 0; i < NPG_N_IN; i++) {
        npg_real z = ((obs[i] - npg_mean[i]) - npg_mean_rest[i]) / npg_std[i];
        z = z < -NPG_BOUND ? -NPG_BOUND : z;
        x[i] = z > NPG_BOUND ? NPG_BOUND : z;
    }
}

/*= */
/* z = x W + b */
static void npg_affine(const npg_real *restrict x, int n, const npg_real *restrict W, const npg_real *restrict b, int m,
                       npg_real *restrict z)
{
    int i, j;
    for (j = 0; j < m; j++)
        z[j] = x[0] * W[j];
    for (i = 1; i < n; i++)
        for (j = 0; j < m; j++)
            z[j] += x[i] * W[i * m + j];
    if (b)
        for (j = 0; j < m; j++)
            z[j] += b[j];
}

/*= */
static void npg_copy(const npg_real *from, int n, npg_real *to)
{
    int i;
    for (i = 0; i < n; i++)
        to[i] = from[i];
}

/*= */
static void npg_layer_tanh(npg_real *z, int n)
{
    int i;
    for (i = 0; i < n; i++)
        z[i] = npg_tanh(z[i]);
}

/*= */
static void npg_layer_relu(npg_real *z, int n)
{
    int i;
    for (i = 0; i < n; i++)
        z[i] = z[i] < 0 ? 0 : z[i]; /* a NaN stays */
}

/*= */
/* dL/dW = x^T D, dL/db = D */
static void npg_affine_vjp(const npg_real *x, int n, const npg_real *D, int m, npg_real *dW, npg_real *db)
{
    int i, j;
    for (i = 0; i < n; i++)
        for (j = 0; j < m; j++)
            dW[i * m + j] = x[i] * D[j];
    if (db)
        for (j = 0; j < m; j++)
            db[j] = D[j];
}

/*= */
/* dL/dx = D W^T */
static void npg_affine_vjp_x(const npg_real *W, int n, const npg_real *D, int m, npg_real *dx)
{
    int i, j;
    for (i = 0; i < n; i++) {
        dx[i] = 0;
        for (j = 0; j < m; j++)
            dx[i] += W[i * m + j] * D[j];
    }
}

/*= */
/* D *= 1 - x^2, x = tanh z */
static void npg_slope_tanh(const npg_real *x, int n, npg_real *D)
{
    int i;
    for (i = 0; i < n; i++)
        D[i] *= 1 - x[i] * x[i];
}

/*= */
/* D *= 1[x > 0] */
static void npg_slope_relu(const npg_real *x, int n, npg_real *D)
{
    int i;
    for (i = 0; i < n; i++)
        D[i] = x[i] > 0 ? D[i] : 0;
}
