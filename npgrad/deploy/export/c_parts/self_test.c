static int npg_close(int i, double got, double expected)
{
    return fabs(got - expected) <= NPG_TOLERANCE * npg_golden_size[i] * (1 + fabs(expected));
}

static int npg_golden_holds(int i)
{
    double noise[NPG_N_DRAWS];
    npg_action action[NPG_N_ACT], drawn[NPG_N_ACT], latent[NPG_N_ACT];
    npg_real log_prob = 0, again = 0;
    int j, holds = 1, status;
    npg_noise(npg_golden_seed[i], npg_golden_episode[i], npg_golden_step[i], noise);
    for (j = 0; j < NPG_N_DRAWS; j++)
        holds &= !(noise[j] < npg_golden_noise[i][j]) && !(noise[j] > npg_golden_noise[i][j]); /* to the bit */
    status = npg_act(npg_golden_obs[i], action);
    if (status == NPG_OK)
        status = npg_draw(npg_golden_obs[i], noise, latent, &log_prob);
    if (status == NPG_OK)
        status = npg_log_prob(npg_golden_obs[i], latent, &again);
    if (status == NPG_OK)
        status = npg_act_sampled(npg_golden_obs[i], npg_golden_seed[i], npg_golden_episode[i], npg_golden_step[i], drawn);
    if (status != NPG_OK)
        return 0;
    for (j = 0; j < NPG_N_ACT; j++) {
        holds &= npg_close(i, action[j], npg_golden_action[i][j]) && npg_close(i, drawn[j], npg_golden_drawn[i][j]);
        holds &= npg_close(i, latent[j], npg_golden_latent[i][j]);
    }
    return holds && npg_close(i, log_prob, npg_golden_log_prob[i]) && npg_close(i, again, npg_golden_log_prob[i]);
}

/* 0, or the number of the first golden vector that does not come out */
int main(void)
{
    int i;
    for (i = 0; i < NPG_N_GOLDEN; i++)
        if (!npg_golden_holds(i))
            return i + 1;
    return 0;
}
