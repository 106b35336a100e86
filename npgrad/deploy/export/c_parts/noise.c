/* Philox4x32-10 (Salmon et al. 2011) and Box-Muller: numbers as a function of their place. */

/*= */
/* The two uniform numbers on (0, 1), or the two standard normal ones, of one block. */
static void npg_block(uint64_t seed, uint64_t episode, uint32_t step, uint32_t kind, uint32_t block, double pair[2])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = step, c1 = kind << 23 | block, c2 = (uint32_t)episode, c3 = (uint32_t)(episode >> 32);
    double radius, sine, cosine;
    int i;
    for (i = 0; i < 10; i++) {
        uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    /* (n + 1/2) 2^-52, n the top 52 bits of 64 */
    pair[0] = npg_from_bits((uint64_t)c1 << 20 | c0 >> 12 | (uint64_t)1023 << 52) - 0.9999999999999999;
    pair[1] = npg_from_bits((uint64_t)c3 << 20 | c2 >> 12 | (uint64_t)1023 << 52) - 0.9999999999999999;
    if (kind) {
        radius = sqrt(-2.0 * npg_log64(pair[0]));
        npg_sincospi64(2.0 * pair[1], &sine, &cosine);
        pair[0] = radius * cosine;
        pair[1] = radius * sine;
    }
}

/*= */
void npg_noise(uint64_t seed, uint64_t episode, uint32_t step, double *noise)
{
    double pair[2][2];
    uint32_t count[2] = {0, 0}, j;
    int i;
    for (i = 0; i < NPG_N_DRAWS; i++) {
        j = count[npg_kinds[i]]++;
        if (j % 2 == 0)
            npg_block(seed, episode, step, npg_kinds[i], j / 2, pair[npg_kinds[i]]);
        noise[i] = pair[npg_kinds[i]][j % 2];
    }
}
