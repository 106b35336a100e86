#ifndef NPG_H
#define NPG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@DEFINES@

/* What functions return. Unless it is NPG_OK, npg_act and npg_act_sampled leave the action as it was, and what others
   have written means nothing. */
enum {
    NPG_OK = 0,
    NPG_NONFINITE = 1,  /* the observation, or what follows from it, has a NaN or an infinity */
    NPG_BAD_ACTION = 2, /* the latent action is none of this policy's */
    NPG_NO_ACTION = 3   /* the mask allows no action */
};

/* The most likely action. */
int npg_act(const npg_real *obs, npg_action *action);

/* An action drawn with noise that is a function of its place: of the same seed, episode and step (and stream 0) in
   npgrad, to the bit. episode < 2^63. */
int npg_act_sampled(const npg_real *obs, uint64_t seed, uint64_t episode, uint32_t step, npg_action *action);

/* The noise of a place, NPG_N_DRAWS numbers: uniform on (0, 1), or standard normal. */
void npg_noise(uint64_t seed, uint64_t episode, uint32_t step, double *noise);

/* The latent action that noise, this or your own, leads to, and its log-probability unless that is a null pointer. */
int npg_draw(const npg_real *obs, const double *noise, npg_action *latent, npg_real *log_prob);

/* From a latent action to what the environment gets. */
void npg_map(const npg_action *latent, npg_action *action);

/* log pi(latent | obs), a density where actions are real. */
int npg_log_prob(const npg_real *obs, const npg_action *latent, npg_real *log_prob);
@LEARNER@
#ifdef __cplusplus
}
#endif

#endif
