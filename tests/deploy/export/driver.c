/* Loops around the exported functions, so that Python calls once for many observations. */

#include "npg.c"

void each_act(int n, const npg_real *obs, npg_action *action, int *status)
{
    int i;
    for (i = 0; i < n; i++)
        status[i] = npg_act(obs + i * NPG_N_OBS, action + i * NPG_N_ACT);
}

void each_draw(int n, const npg_real *obs, const double *noise, npg_action *latent, npg_real *log_prob, int *status)
{
    int i;
    for (i = 0; i < n; i++)
        status[i] = npg_draw(obs + i * NPG_N_OBS, noise + i * NPG_N_DRAWS, latent + i * NPG_N_ACT, log_prob + i);
}

void each_act_sampled(int n, const npg_real *obs, uint64_t seed, const uint64_t *episode, const uint32_t *step,
                      npg_action *action, int *status)
{
    int i;
    for (i = 0; i < n; i++)
        status[i] = npg_act_sampled(obs + i * NPG_N_OBS, seed, episode[i], step[i], action + i * NPG_N_ACT);
}

void each_log_prob(int n, const npg_real *obs, const npg_action *latent, npg_real *log_prob, int *status)
{
    int i;
    for (i = 0; i < n; i++)
        status[i] = npg_log_prob(obs + i * NPG_N_OBS, latent + i * NPG_N_ACT, log_prob + i);
}

void each_noise(int n, uint64_t seed, const uint64_t *episode, const uint32_t *step, double *noise)
{
    int i;
    for (i = 0; i < n; i++)
        npg_noise(seed, episode[i], step[i], noise + i * NPG_N_DRAWS);
}

void each_map(int n, const npg_action *latent, npg_action *action)
{
    int i;
    for (i = 0; i < n; i++)
        npg_map(latent + i * NPG_N_ACT, action + i * NPG_N_ACT);
}

#ifdef NPG_N_PARAMS
static npg_learner learner;

void each_score(int n, const npg_real *obs, const npg_action *latent, npg_real *score, int *status)
{
    int i;
    npg_learner_init(&learner, 0, 0, 0, 0);
    for (i = 0; i < n; i++)
        status[i] = npg_score(learner.numbers, obs + i * NPG_N_OBS, latent + i * NPG_N_ACT, score + i * NPG_N_PARAMS);
}

void each_learner_act(int n, const npg_real *obs, uint64_t seed, const uint64_t *episode, const uint32_t *step,
                      npg_action *latent, int *status)
{
    int i;
    npg_learner_init(&learner, 0, 0, 0, 0);
    for (i = 0; i < n; i++)
        status[i] = npg_learner_act(&learner, obs + i * NPG_N_OBS, seed, episode[i], step[i], latent + i * NPG_N_ACT);
}

/* An episode begins where begins[i] is set; settings: learning rates of policy and critic, gamma, lambda. */
void each_update(int n, const npg_real *settings, const npg_real *obs, const npg_action *latent, const npg_real *reward,
                 const npg_real *next_obs, const int *terminated, const int *begins, npg_real *theta, npg_real *critic,
                 int *status)
{
    int i;
    npg_learner_init(&learner, settings[0], settings[1], settings[2], settings[3]);
    for (i = 0; i < n; i++) {
        if (begins[i])
            npg_learner_begin(&learner);
        status[i] = npg_learner_update(&learner, obs + i * NPG_N_OBS, latent + i * NPG_N_ACT, reward[i],
                                       next_obs + i * NPG_N_OBS, terminated[i]);
    }
    for (i = 0; i < NPG_N_PARAMS; i++)
        theta[i] = learner.numbers[i];
    for (i = 0; i < NPG_N_CRITIC; i++)
        critic[i] = learner.critic[i];
}
#endif
