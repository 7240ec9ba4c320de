/* The thread primitives used by csrc/, on POSIX threads or Windows. */
#ifndef CYGRAD_THREADS_H
#define CYGRAD_THREADS_H

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK cg_mutex;
typedef CONDITION_VARIABLE cg_condition;
#define CG_MUTEX_INIT SRWLOCK_INIT
#define CG_CONDITION_INIT CONDITION_VARIABLE_INIT
static inline void cg_lock(cg_mutex *m) { AcquireSRWLockExclusive(m); }
static inline int cg_try_lock(cg_mutex *m) { return TryAcquireSRWLockExclusive(m); }
static inline void cg_unlock(cg_mutex *m) { ReleaseSRWLockExclusive(m); }
static inline void cg_wait(cg_condition *c, cg_mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }
static inline void cg_wake_all(cg_condition *c) { WakeAllConditionVariable(c); }
static inline void cg_yield(void) { SwitchToThread(); }
#define CG_THREAD_RESULT DWORD WINAPI
static inline int cg_start_thread(CG_THREAD_RESULT (*body)(void *), void *arg) {
    HANDLE thread = CreateThread(NULL, 0, body, arg, 0, NULL);
    return thread != NULL && CloseHandle(thread);
}

#else
#include <pthread.h>
#include <sched.h>
#include <signal.h>

typedef pthread_mutex_t cg_mutex;
typedef pthread_cond_t cg_condition;
#define CG_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define CG_CONDITION_INIT PTHREAD_COND_INITIALIZER
static inline void cg_lock(cg_mutex *m) { pthread_mutex_lock(m); }
static inline int cg_try_lock(cg_mutex *m) { return pthread_mutex_trylock(m) == 0; }
static inline void cg_unlock(cg_mutex *m) { pthread_mutex_unlock(m); }
static inline void cg_wait(cg_condition *c, cg_mutex *m) { pthread_cond_wait(c, m); }
static inline void cg_wake_all(cg_condition *c) { pthread_cond_broadcast(c); }
static inline void cg_yield(void) { sched_yield(); }
#define CG_THREAD_RESULT void *
/* The new thread blocks all signals, so that they are delivered to the threads of Python. */
static inline int cg_start_thread(void *(*body)(void *), void *arg) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int started = pthread_create(&thread, 0, body, arg) == 0;
    if (started) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, 0);
    return started;
}
#endif

static inline void cg_pause(void) {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* How this thread's arithmetic rounds, and whether it flushes subnormal numbers to zero: other libraries change it. */
#if defined(__x86_64__) || defined(_M_X64)
enum { CG_FLOAT_CONTROL = 0xffc0 }; /* MXCSR without its exception flags */
static inline uint64_t cg_float_mode(void) { return __builtin_ia32_stmxcsr() & CG_FLOAT_CONTROL; }
static inline void cg_set_float_mode(uint64_t mode) {
    if (mode != cg_float_mode()) __builtin_ia32_ldmxcsr((unsigned)mode);
}
#elif defined(__aarch64__)
static inline uint64_t cg_float_mode(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static inline void cg_set_float_mode(uint64_t mode) {
    if (mode != cg_float_mode()) __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
#else
static inline uint64_t cg_float_mode(void) { return 0; }
static inline void cg_set_float_mode(uint64_t mode) { (void)mode; }
#endif

#endif
