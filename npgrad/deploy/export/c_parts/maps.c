/* From the latent action to what the environment gets. */

/*= */
static void npg_map_identity(const npg_action *latent, npg_action *action)
{
    int j;
    for (j = 0; j < NPG_N_ACT; j++)
        action[j] = latent[j];
}

/*= */
static void npg_map_offset(const npg_action *latent, npg_action *action)
{
    int j;
    for (j = 0; j < NPG_N_ACT; j++)
        action[j] = latent[j] + npg_start[j];
}

/*= */
static void npg_map_clip(const npg_action *latent, npg_action *action)
{
    int j;
    for (j = 0; j < NPG_N_ACT; j++) {
        npg_action u = latent[j] < npg_low[j] ? npg_low[j] : latent[j];
        action[j] = u > npg_high[j] ? npg_high[j] : u;
    }
}

/*= */
/* low + (u + 1) / 2 (high - low), clipped */
static void npg_map_rescale(const npg_action *latent, npg_action *action)
{
    int j;
    for (j = 0; j < NPG_N_ACT; j++) {
        npg_action u = npg_low[j] + (latent[j] + 1) / 2 * (npg_high[j] - npg_low[j]);
        u = u < npg_low[j] ? npg_low[j] : u;
        action[j] = u > npg_high[j] ? npg_high[j] : u;
    }
}

/*= */
/* low + (tanh u + 1) / 2 (high - low) */
static void npg_map_tanh(const npg_action *latent, npg_action *action)
{
    int j;
    for (j = 0; j < NPG_N_ACT; j++)
        action[j] = npg_low[j] + (npg_tanh(latent[j]) + 1) / 2 * (npg_high[j] - npg_low[j]);
}
