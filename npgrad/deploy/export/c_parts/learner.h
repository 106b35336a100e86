
/* An actor-critic that learns on the device, with eligibility traces and a critic that is linear in the normalised
   observation. Draw the latent action with npg_learner_act, give npg_map of it to the environment, and learn from what
   follows with npg_learner_update. */
typedef struct {
    npg_real numbers[NPG_N_NUMBERS]; /* theta, then what is not learned */
    npg_real critic[NPG_N_CRITIC];
    npg_real trace[NPG_N_PARAMS], critic_trace[NPG_N_CRITIC];
    npg_real score[NPG_N_PARAMS]; /* room to work in */
    npg_real discount;            /* gamma^t */
    npg_real learning_rate, critic_learning_rate, gamma, lambda;
} npg_learner;

/* theta as exported, a critic of zeros. */
void npg_learner_init(npg_learner *l, npg_real learning_rate, npg_real critic_learning_rate, npg_real gamma,
                      npg_real lambda);

/* Call it where an episode begins. */
void npg_learner_begin(npg_learner *l);

int npg_learner_act(const npg_learner *l, const npg_real *obs, uint64_t seed, uint64_t episode, uint32_t step,
                    npg_action *latent);

/* grad_theta log pi(latent | obs), NPG_N_PARAMS numbers. */
int npg_score(const npg_real *numbers, const npg_real *obs, const npg_action *latent, npg_real *score);

/* One transition; terminated means that nothing follows, not that time is up. Unless it returns NPG_OK nothing has been
   learned. */
int npg_learner_update(npg_learner *l, const npg_real *obs, const npg_action *latent, npg_real reward,
                       const npg_real *next_obs, int terminated);
