/* The functions that a user calls. */

/*= */
/* Logits of actions that are not allowed become -infinity. */
static int npg_mask(const npg_real *allowed, npg_real *y)
{
    int j, status = NPG_NO_ACTION;
    for (j = 0; j < NPG_N_Y; j++)
        if (allowed[j] < 0 || allowed[j] > 0)
            status = NPG_OK;
        else
            y[j] = -INFINITY;
    return status;
}

/*= */
int npg_act(const npg_real *obs, npg_action *action)
{
    npg_real y[NPG_N_Y];
    npg_action latent[NPG_N_ACT];
    int status = npg_forward(npg_numbers, obs, y);
    if (status == NPG_OK) {
        npg_mode(y, latent);
        npg_map(latent, action);
    }
    return status;
}

/*= */
int npg_draw(const npg_real *obs, const double *noise, npg_action *latent, npg_real *log_prob)
{
    npg_real y[NPG_N_Y];
    int status = npg_forward(npg_numbers, obs, y);
    if (status == NPG_OK)
        status = npg_draw_from(y, noise, latent);
    if (status == NPG_OK && log_prob)
        *log_prob = npg_log_prob_from(y, latent);
    return status;
}

/*= */
int npg_act_sampled(const npg_real *obs, uint64_t seed, uint64_t episode, uint32_t step, npg_action *action)
{
    double noise[NPG_N_DRAWS];
    npg_action latent[NPG_N_ACT];
    int status;
    npg_noise(seed, episode, step, noise);
    status = npg_draw(obs, noise, latent, 0);
    if (status == NPG_OK)
        npg_map(latent, action);
    return status;
}

/*= */
int npg_log_prob(const npg_real *obs, const npg_action *latent, npg_real *log_prob)
{
    npg_real y[NPG_N_Y];
    int status = npg_forward(npg_numbers, obs, y);
    if (status == NPG_OK && !npg_valid(latent))
        status = NPG_BAD_ACTION;
    if (status == NPG_OK)
        *log_prob = npg_log_prob_from(y, latent);
    return status;
}
