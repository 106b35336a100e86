/* Distributions over actions given y: mode, action from noise, log p, and the row d log p / dy. */

/*= */
/* the first of the largest */
static int npg_argmax(const npg_real *y, int n)
{
    int j, best = 0;
    for (j = 1; j < n; j++)
        best = y[j] > y[best] ? j : best;
    return best;
}

/*= */
static void npg_categorical_mode(const npg_real *y, int n, npg_action *a)
{
    a[0] = (npg_action)npg_argmax(y, n);
}

/*= */
/* max y, and the sum of exp(y - max y) */
static npg_real npg_total(const npg_real *y, int n, npg_real *largest)
{
    npg_real total = 0;
    int j;
    *largest = y[npg_argmax(y, n)];
    for (j = 0; j < n; j++)
        total += npg_exp(y[j] - *largest);
    return total;
}

/*= */
/* the first a with p_0 + ... + p_a > u */
static void npg_categorical_draw(const npg_real *y, int n, const double *u, npg_action *a)
{
    npg_real largest, sum = 0, total = npg_total(y, n, &largest);
    int j, count = 0;
    for (j = 0; j < n - 1; j++) {
        sum += npg_exp(y[j] - largest);
        count += sum <= u[0] * total;
    }
    a[0] = (npg_action)count;
}

/*= */
static npg_real npg_categorical_log_prob(const npg_real *y, int n, const npg_action *a)
{
    npg_real largest, total = npg_total(y, n, &largest);
    return (y[(int)a[0]] - largest) - npg_log(total);
}

/*= */
/* 1[j = a] - p_j */
static void npg_categorical_score(const npg_real *y, int n, const npg_action *a, npg_real *row)
{
    npg_real largest, total = npg_total(y, n, &largest);
    int j;
    for (j = 0; j < n; j++)
        row[j] = (j == (int)a[0]) - npg_exp(y[j] - largest) / total;
}

/*= */
static int npg_categorical_valid(const npg_action *a, int n)
{
    return a[0] >= 0 && a[0] < n && !(a[0] > (int)a[0]);
}

/*= */
static void npg_gaussian_mode(const npg_real *y, int k, npg_action *a)
{
    int j;
    for (j = 0; j < k; j++)
        a[j] = y[j];
}

/*= */
/* mu + sigma eps */
static void npg_gaussian_draw(const npg_real *y, int k, const double *eps, npg_action *a)
{
    int j;
    for (j = 0; j < k; j++)
        a[j] = y[j] + npg_exp(y[k + j]) * (npg_real)eps[j];
}

/*= */
/* sum of -z^2/2 - log sigma - log(2 pi)/2, z = (a - mu) / sigma */
static npg_real npg_gaussian_log_prob(const npg_real *y, int k, const npg_action *a)
{
    npg_real sum = 0;
    int j;
    for (j = 0; j < k; j++) {
        npg_real z = (a[j] - y[j]) * npg_exp(-y[k + j]);
        sum += (npg_real)0.5 * z * z + y[k + j] + (npg_real)0.9189385332046727;
    }
    return -sum;
}

/*= */
/* z / sigma and z^2 - 1 */
static void npg_gaussian_score(const npg_real *y, int k, const npg_action *a, npg_real *row)
{
    int j;
    for (j = 0; j < k; j++) {
        npg_real inverse = npg_exp(-y[k + j]), z = (a[j] - y[j]) * inverse;
        row[j] = z * inverse;
        row[k + j] = z * z - 1;
    }
}

/*= */
#define npg_gaussian_valid npg_all_finite

/*= */
/* log(1 + exp x) */
static npg_real npg_softplus(npg_real x)
{
    return (x > 0 ? x : 0) + npg_log1p(npg_exp(x > 0 ? -x : x));
}

/*= */
static void npg_bernoulli_mode(const npg_real *y, int n, npg_action *a)
{
    int j;
    for (j = 0; j < n; j++)
        a[j] = y[j] > 0;
}

/*= */
/* 1 where u < p = exp(-softplus(-y)) */
static void npg_bernoulli_draw(const npg_real *y, int n, const double *u, npg_action *a)
{
    int j;
    for (j = 0; j < n; j++)
        a[j] = u[j] < npg_exp(-npg_softplus(-y[j]));
}

/*= */
static npg_real npg_bernoulli_log_prob(const npg_real *y, int n, const npg_action *a)
{
    npg_real sum = 0;
    int j;
    for (j = 0; j < n; j++)
        sum += npg_softplus(a[j] > 0 ? -y[j] : y[j]);
    return -sum;
}

/*= */
/* a - p */
static void npg_bernoulli_score(const npg_real *y, int n, const npg_action *a, npg_real *row)
{
    int j;
    for (j = 0; j < n; j++)
        row[j] = a[j] > 0 ? npg_exp(-npg_softplus(y[j])) : -npg_exp(-npg_softplus(-y[j]));
}

/*= */
static int npg_bernoulli_valid(const npg_action *a, int n)
{
    int j, valid = 1;
    for (j = 0; j < n; j++)
        valid &= a[j] >= 0 && a[j] <= 1 && !(a[j] > 0 && a[j] < 1);
    return valid;
}
