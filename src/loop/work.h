/* The thread pool: what would block the loop runs there while its coroutine waits. */
#ifndef POSTERN_LOOP_WORK_H
#define POSTERN_LOOP_WORK_H

/* Runs fn(arg) in a pool thread; returns when it is done. It cannot be cancelled: arg stays valid.
 * fn must not touch the loop, streams, or anything a coroutine may change meanwhile. Outside of a
 * coroutine (commands, start-up) fn is simply called. May wait. */
void work_run(void (*fn)(void *arg), void *arg);

/* For event code: done(arg) runs on the loop after fn(arg) ran in a pool thread. */
void work_start(void (*fn)(void *arg), void (*done)(void *arg), void *arg);

#endif
