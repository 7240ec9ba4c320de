/* To the threads, a program is one launch: every share goes through all the steps, does its part of each, and waits for
 * the other shares only where a step needs what they wrote. */
#include "program.h"

#include <string.h>
#include <time.h>

#include "threads.h"

/* Nanoseconds below which waiting for the other shares of a step takes longer than the share: less than in pool.c, because
 * the workers are awake. */
static const double STEP_SHARE_COST = 7000.0;

typedef struct {
    const cg_step *steps;
    int64_t count;
    int64_t arrived; /* how many times a share has reached a barrier */
    int64_t ended;   /* index of the step after which the run ends */
} run;

static void wait_for_all(run *r, int64_t arrivals) {
    __atomic_add_fetch(&r->arrived, 1, __ATOMIC_ACQ_REL);
    for (int spin = 0; __atomic_load_n(&r->arrived, __ATOMIC_ACQUIRE) < arrivals; spin++)
        if (spin < 2000) cg_pause(); else cg_yield();
}

/* Steps too small to be shared run on share 0 in order; a barrier between them is postponed to the next shared step. */
static void run_share(const void *args, cg_share share) {
    run *r = (run *)args;
    int64_t barriers = 0, postponed = 0, shared = 0;
    for (int64_t i = 0; i < r->count; i++) {
        const cg_step *step = r->steps + i;
        const int64_t shares = cg_shares(step->cost, STEP_SHARE_COST, (int)share.count);
        postponed |= step->barrier;
        if (postponed && (shares > 1 || shared)) {
            wait_for_all(r, ++barriers * share.count);
            postponed = shared = 0;
        }
        if (share.index < shares) step->run(step->args, (cg_share){share.index, shares, share.scratch});
        shared |= shares > 1;
        if (!step->fault) continue;
        if (share.count > 1) wait_for_all(r, ++barriers * share.count);
        postponed = shared = 0;
        if (*step->fault >= 0) {
            if (share.index == 0) r->ended = i;
            return;
        }
    }
}

int64_t cg_run_steps(const cg_step *steps, int64_t count) {
    run r = {.steps = steps, .count = count, .ended = count};
    double shared = 0; /* the steps that can be shared decide how many threads the program uses */
    for (int64_t i = 0; i < count; i++)
        if (cg_shares(steps[i].cost, STEP_SHARE_COST, 2) > 1) shared += steps[i].cost;
    return cg_run(run_share, &r, shared) ? -1 : r.ended;
}

static void advance(const cg_advance *words, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint64_t value; /* of any 64-bit type */
        memcpy(&value, words[i].word, sizeof value);
        value += words[i].increment;
        memcpy(words[i].word, &value, sizeof value);
    }
}

int64_t cg_run_loop(const cg_step *steps, int64_t count, int64_t times, const cg_advance *words, int64_t word_count,
                    int64_t *ended) {
    for (int64_t time = 0; time < times; time++) {
        *ended = cg_run_steps(steps, count);
        if (*ended < 0) return -1;
        if (*ended < count) return time;
        advance(words, word_count);
    }
    return times;
}

/* With as many shares as blocks, share b is block b. */
void cg_run_chain(const void *chain, cg_share share) {
    const cg_chain *c = chain;
    const int64_t first = c->blocks * share.index / share.count, last = c->blocks * (share.index + 1) / share.count;
    for (int64_t block = first; block < last; block++)
        for (int64_t i = 0; i < c->count; i++)
            c->steps[i].run(c->steps[i].args, (cg_share){block, c->blocks, share.scratch});
}

double cg_now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}
