/* An actor-critic that learns from single transitions, with eligibility traces (Sutton and Barto 2018, section 13.5). */

/*= */
void npg_learner_init(npg_learner *l, npg_real learning_rate, npg_real critic_learning_rate, npg_real gamma,
                      npg_real lambda)
{
    int i;
    npg_copy(npg_numbers, NPG_N_NUMBERS, l->numbers);
    for (i = 0; i < NPG_N_CRITIC; i++)
        l->critic[i] = 0;
    l->learning_rate = learning_rate;
    l->critic_learning_rate = critic_learning_rate;
    l->gamma = gamma;
    l->lambda = lambda;
    npg_learner_begin(l);
}

/*= */
void npg_learner_begin(npg_learner *l)
{
    int i;
    for (i = 0; i < NPG_N_PARAMS; i++)
        l->trace[i] = 0;
    for (i = 0; i < NPG_N_CRITIC; i++)
        l->critic_trace[i] = 0;
    l->discount = 1;
}

/*= */
int npg_learner_act(const npg_learner *l, const npg_real *obs, uint64_t seed, uint64_t episode, uint32_t step,
                    npg_action *latent)
{
    double noise[NPG_N_DRAWS];
    npg_real y[NPG_N_Y];
    int status = npg_forward(l->numbers, obs, y);
    npg_noise(seed, episode, step, noise);
    return status == NPG_OK ? npg_draw_from(y, noise, latent) : status;
}

/*= */
/* V(o) = w x + c, x the normalised observation */
static npg_real npg_value(const npg_real *critic, const npg_real *x)
{
    npg_real v = critic[NPG_N_IN];
    int i;
    for (i = 0; i < NPG_N_IN; i++)
        v += critic[i] * x[i];
    return v;
}

/*= */
int npg_learner_update(npg_learner *l, const npg_real *obs, const npg_action *latent, npg_real reward,
                       const npg_real *next_obs, int terminated)
{
    npg_real x[NPG_N_IN], next_x[NPG_N_IN], delta, decay = l->gamma * l->lambda;
    int i, status;
    if (!npg_finite(reward) || !npg_all_finite(next_obs, NPG_N_IN))
        return NPG_NONFINITE;
    status = npg_score(l->numbers, obs, latent, l->score);
    if (status != NPG_OK)
        return status;
    npg_inputs(obs, x);
    npg_inputs(next_obs, next_x);
    /* delta = r + gamma V(o') - V(o), and V = 0 behind the end */
    delta = reward + (terminated ? 0 : l->gamma * npg_value(l->critic, next_x)) - npg_value(l->critic, x);
    if (!npg_finite(delta))
        return NPG_NONFINITE;
    /* z_w = gamma lambda z_w + grad V,  w += alpha_w delta z_w */
    for (i = 0; i < NPG_N_CRITIC; i++) {
        l->critic_trace[i] = decay * l->critic_trace[i] + (i < NPG_N_IN ? x[i] : 1);
        l->critic[i] += l->critic_learning_rate * delta * l->critic_trace[i];
    }
    /* z = gamma lambda z + gamma^t grad log pi,  theta += alpha delta z */
    for (i = 0; i < NPG_N_PARAMS; i++) {
        l->trace[i] = decay * l->trace[i] + l->discount * l->score[i];
        l->numbers[i] += l->learning_rate * delta * l->trace[i];
    }
    l->discount *= l->gamma;
    return NPG_OK;
}
