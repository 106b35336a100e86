/* exp, log, sine and cosine, tanh from + - * / and integer bits alone: the same bits on every machine, whatever its
   libm, and loops over them vectorise. In double they are those of npgrad/elementary.py, step by step; in float exp and
   tanh are built likewise, with errors of at most 1.1 and 2.5 units in the last place (over every 17th float). Compile
   without -ffast-math. */

/*= */
typedef union {
    double real;
    uint64_t bits;
} npg_word;

static uint64_t npg_to_bits(double x)
{
    npg_word w;
    w.real = x;
    return w.bits;
}

static double npg_from_bits(uint64_t bits)
{
    npg_word w;
    w.bits = bits;
    return w.real;
}

/*= */
/* log x of a normal positive double */
static double npg_log64(double x)
{
    uint64_t bits = npg_to_bits(x);
    uint64_t k = ((bits - 0x3FE6A09E667F3BCDu + ((uint64_t)1024 << 52)) >> 52) - 1024;
    double m = npg_from_bits(bits - (k << 52)); /* x = 2^k m, sqrt(1/2) <= m < sqrt 2 */
    double n = npg_from_bits(k + 0x4338000000000000u) - 6755399441055744.0; /* k as a double */
    double f = m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double h = 0.5 * f * f;
    double p = 0.13086767009948175;
    p = p * z + 0.13268759668560612;
    p = p * z + 0.15386240205813478;
    p = p * z + 0.18181795630884753;
    p = p * z + 0.2222222239180047;
    p = p * z + 0.2857142857080323;
    p = p * z + 0.4000000000000088;
    p = p * z + 0.6666666666666666;
    return n * 0.6931471803691238 - ((h - (s * (h + z * p) + n * 1.9082149292705877e-10)) - f);
}

/*= */
/* sin pi x and cos pi x for 0 <= x < 2 */
static void npg_sincospi64(double x, double *sine, double *cosine)
{
    double shifted = 2.0 * x + 6755399441055744.0;
    uint64_t q = npg_to_bits(shifted) - 0x4338000000000000u;
    double r = (x - 0.5 * (shifted - 6755399441055744.0)) * 3.141592653589793;
    double z = r * r, h = 0.5 * z, w = 1.0 - h, p;
    uint64_t s, c, exchanged;
    p = -7.586691094197958e-13;
    p = p * z + 1.6058531516797758e-10;
    p = p * z - 2.5052106231802837e-08;
    p = p * z + 2.7557319219337312e-06;
    p = p * z - 0.00019841269841265063;
    p = p * z + 0.008333333333333331;
    p = p * z - 0.16666666666666666;
    s = npg_to_bits(r + (r * z) * p);
    p = -1.1382623647474604e-11;
    p = p * z + 2.087614614655861e-09;
    p = p * z - 2.7557317271145144e-07;
    p = p * z + 2.480158729876456e-05;
    p = p * z - 0.0013888888888887398;
    p = p * z + 0.041666666666666664;
    c = npg_to_bits(w + (((1.0 - w) - h) + (z * z) * p));
    exchanged = (s ^ c) & (0 - (q & 1));
    *sine = npg_from_bits((s ^ exchanged) ^ ((q & 2) << 62));
    *cosine = npg_from_bits((c ^ exchanged) ^ (((q + 1) & 2) << 62));
}

/*= */
/* e^r - 1 and k with x = k log 2 + r, |r| <= log 2 / 2 */
static double npg_reduced_expm1(double x, int *k)
{
    double shifted = x * 1.4426950408889634 + 6755399441055744.0, n = shifted - 6755399441055744.0;
    double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
    double p = 2.0914686968086876e-09;
    *k = (int)(uint32_t)npg_to_bits(shifted); /* (int)n, but for a NaN too */
    p = p * r + 2.5105217004720745e-08;
    p = p * r + 2.75572736431103e-07;
    p = p * r + 2.7557255400206422e-06;
    p = p * r + 2.4801587325547743e-05;
    p = p * r + 0.00019841269874820627;
    p = p * r + 0.0013888888888883748;
    p = p * r + 0.008333333333326136;
    p = p * r + 0.04166666666666667;
    p = p * r + 0.1666666666666667;
    p = p * r + 0.5;
    return r + (r * r) * p;
}

static double npg_power_of_two(int k)
{
    return npg_from_bits((uint64_t)(k + 1023) << 52);
}

/*= double */
static npg_real npg_exp(npg_real x)
{
    int k, half;
    double p;
    x = x < -746.0 ? -746.0 : x;
    p = npg_reduced_expm1(x > 711.0 ? 711.0 : x, &k);
    half = (k + 2048) / 2 - 1024; /* 2^k in two factors: k itself may be no exponent of a normal double */
    return (1.0 + p) * npg_power_of_two(half) * npg_power_of_two(k - half);
}

/*= float */
/* e^r - 1 and k with x = k log 2 + r, |r| <= log 2 / 2 */
static float npg_reduced_expm1f(float x, int *k)
{
    union {
        float real;
        uint32_t bits;
    } shifted = {x * 1.442695f + 12582912.0f};
    float n = shifted.real - 12582912.0f;
    float r = (x - n * 0.693359375f) + n * 0.00021219444f;
    float p = 0.0013926176f;
    *k = (int)(shifted.bits - 0x4B400000u); /* (int)n, but for a NaN too */
    p = p * r + 0.008363173f;
    p = p * r + 0.041666556f;
    p = p * r + 0.16666578f;
    p = p * r + 0.5f;
    return r + (r * r) * p;
}

static float npg_power_of_twof(int k)
{
    union {
        float real;
        uint32_t bits;
    } w;
    w.bits = (uint32_t)(k + 127) << 23;
    return w.real;
}

/*= float */
static npg_real npg_exp(npg_real x)
{
    int k, half;
    float p;
    x = x < -104.0f ? -104.0f : x;
    p = npg_reduced_expm1f(x > 89.0f ? 89.0f : x, &k);
    half = (k + 256) / 2 - 128; /* 2^k in two factors: k itself may be no exponent of a normal float */
    return (1.0f + p) * npg_power_of_twof(half) * npg_power_of_twof(k - half);
}

/*= double */
#define npg_log npg_log64

/*= float */
#define npg_log logf

/*= double */
#define npg_log1p log1p

/*= float */
#define npg_log1p log1pf

/*= double */
static npg_real npg_tanh(npg_real x)
{
    uint64_t bits = npg_to_bits(x), sign = bits & ((uint64_t)1 << 63);
    double a = npg_from_bits(bits ^ sign), p, power, t;
    int k;
    p = npg_reduced_expm1(2.0 * (a > 22.0 ? 22.0 : a), &k);
    power = npg_power_of_two(k);
    t = power * p + (power - 1.0); /* e^(2|x|) - 1 */
    return npg_from_bits(npg_to_bits(t / (t + 2.0)) | sign);
}

/*= float */
static npg_real npg_tanh(npg_real x)
{
    float a = x < 0 ? -x : x, p, power, t;
    int k;
    p = npg_reduced_expm1f(2.0f * (a > 10.0f ? 10.0f : a), &k);
    power = npg_power_of_twof(k);
    t = power * p + (power - 1.0f); /* e^(2|x|) - 1 */
    t = t / (t + 2.0f);
    return x < 0 ? -t : t;
}

/*= double */
static int npg_finite(npg_real x)
{
    return (npg_to_bits(x) & 0x7FF0000000000000u) != 0x7FF0000000000000u;
}

/*= float */
static int npg_finite(npg_real x)
{
    union {
        float real;
        uint32_t bits;
    } w;
    w.real = x;
    return (w.bits & 0x7F800000u) != 0x7F800000u;
}
