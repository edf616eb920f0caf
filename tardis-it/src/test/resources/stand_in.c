/*
 * Stands in for runc: prints what it was started with, copies its standard input and the descriptors
 * that were passed to it, and ends with 42.
 *
 * In C, since a shell or an interpreter has signals and descriptors of its own.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void print_matching_lines(const char *file, const char *const *prefixes) {
    char line[8192];
    FILE *in = fopen(file, "re");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        for (const char *const *prefix = prefixes; *prefix != NULL; prefix++) {
            if (strncmp(line, *prefix, strlen(*prefix)) == 0) {
                fputs(line, stdout);
            }
        }
    }
    if (in != NULL) {
        fclose(in);
    }
}

static void print_descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    for (struct dirent *entry = readdir(all); entry != NULL; entry = readdir(all)) {
        int fd = atoi(entry->d_name);
        char target[PATH_MAX];
        ssize_t length = readlinkat(dirfd(all), entry->d_name, target, sizeof target - 1);
        if (entry->d_name[0] != '.' && fd != dirfd(all) && length >= 0) {
            target[length] = '\0';
            printf("descriptor %d: %s, flags %o, close-on-exec %d, at %lld\n", fd, target,
                   (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD),
                   (long long)lseek(fd, 0, SEEK_CUR));
        }
    }
    closedir(all);
}

static void copy(int fd) {
    char bytes[4096];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        fwrite(bytes, 1, (size_t)n, stdout);
    }
}

int main(int argc, char **argv) {
    static const char *const STATUS[] = {"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt",
                                         "Umask", "Uid", "Gid", "Groups", "CapInh", "CapEff",
                                         "NoNewPrivs", "Seccomp:", NULL};
    static const char *const LIMITS[] = {"Max open files", "Max core file", "Max pending", NULL};
    struct itimerval timer;
    char directory[PATH_MAX];

    printf("pid %d\nparent %d, group %d, session %d\n", getpid(), getppid(), getpgrp(), getsid(0));
    for (int i = 0; i < argc; i++) {
        printf("[%s]", argv[i]);
    }
    putchar('\n');
    for (char **variable = environ; *variable != NULL; variable++) {
        puts(*variable);
    }
    puts(getcwd(directory, sizeof directory) == NULL ? "no directory" : directory);
    print_matching_lines("/proc/self/status", STATUS);
    print_matching_lines("/proc/self/limits", LIMITS);
    getitimer(ITIMER_REAL, &timer);
    printf("alarm in %ld s\n", (long)timer.it_value.tv_sec);
    /* What Tardis starts on the way must not be left to the runtime. */
    int child = (int)waitpid(-1, NULL, WNOHANG);
    printf("child %d, %s\n", child, strerror(errno));
    print_descriptors();
    copy(0);
    copy(3);
    copy(9);
    fputs("oops\n", stderr);
    return 42;
}
