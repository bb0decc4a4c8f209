/* Does what its arguments say, one after the other, and prints what came of it: paths as a program sees them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(const char *path) {
  char *names[200];
  int n = 0;
  DIR *d = opendir(path);
  for (struct dirent *e; d && n < 200 && (e = readdir(d));)
    if (e->d_name[0] != '.') names[n++] = strdup(e->d_name);
  qsort(names, (size_t)n, sizeof *names, by_name);
  printf("%s", d ? "" : strerrorname_np(errno));
  for (int i = 0; i < n; i++) printf("%s%s", i ? " " : "", names[i]);
  putchar('\n');
  if (d) closedir(d);
}

int main(int argc, char **argv) {
  char text[PATH_MAX];
  struct stat s;
  int base = AT_FDCWD;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *what = argv[i], *path = argv[i + 1];
    ssize_t n = 0;
    int r = 0, fd;
    printf("%s %s: ", what, path);
    errno = 0;
    if (!strcmp(what, "cat")) {
      fd = openat(base, path, O_RDONLY);
      n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
      if (fd >= 0) close(fd);
      if (n >= 0) {
        while (n && text[n - 1] == '\n') n--;
        printf("%.*s\n", (int)n, text);
      }
      r = n < 0 ? -1 : 1;
    } else if (!strcmp(what, "write")) {
      fd = openat(base, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
      r = fd < 0 || write(fd, "new\n", 4) != 4 ? -1 : 0;
      if (fd >= 0) close(fd);
    } else if (!strcmp(what, "link")) {
      n = readlinkat(base, path, text, sizeof text);
      if (n >= 0) printf("%.*s\n", (int)n, text);
      r = n < 0 ? -1 : 1;
    } else if (!strcmp(what, "type")) {
      r = fstatat(base, path, &s, AT_SYMLINK_NOFOLLOW);
      if (!r) printf("%s\n", S_ISLNK(s.st_mode) ? "link" : S_ISDIR(s.st_mode) ? "directory" : "file");
      r = r ? -1 : 1;
    } else if (!strcmp(what, "list")) {
      list(path);
      r = 1;
    } else if (!strcmp(what, "cd")) {
      r = chdir(path);
      if (!r) printf("%s\n", getcwd(text, sizeof text) ? text : "?");
      r = r ? -1 : 1;
    } else if (!strcmp(what, "base")) {
      base = open(path, O_RDONLY | O_DIRECTORY);
      r = base < 0 ? -1 : 0;
    } else if (!strcmp(what, "remove")) r = unlinkat(base, path, 0);
    else if (!strcmp(what, "mkdir")) r = mkdirat(base, path, 0755);
    else if (!strcmp(what, "rename")) {
      snprintf(text, sizeof text, "%s.renamed", path);
      r = renameat(base, path, base, text);
    } else if (!strcmp(what, "symlink")) r = symlinkat("/etc/target", base, path);
    else if (!strcmp(what, "access")) r = faccessat(base, path, R_OK, 0);
    else if (!strcmp(what, "truncate")) r = truncate(path, 1);
    else if (!strcmp(what, "exec")) {
      fflush(stdout);
      pid_t pid = fork();
      if (!pid) {
        execl(path, "child", "an argument", NULL);
        printf("%s\n", strerrorname_np(errno));
        _exit(0);
      }
      waitpid(pid, &r, 0);
      r = WIFEXITED(r) && !WEXITSTATUS(r) ? 1 : (printf("status %x\n", r), 1);
    } else if (!strcmp(what, "fexec") || !strcmp(what, "fexec-closed")) {
      char *const args[] = {"child", "an argument", NULL}, *const none[] = {NULL};
      fd = fcntl(open(path, O_RDONLY), F_DUPFD, 77);
      if (what[5]) fcntl(fd, F_SETFD, FD_CLOEXEC);
      fflush(stdout);
      pid_t pid = fork();
      if (!pid) {
        fexecve(fd, args, none);
        printf("%s\n", strerrorname_np(errno));
        _exit(0);
      }
      waitpid(pid, &r, 0);
      close(fd);
      r = WIFEXITED(r) && !WEXITSTATUS(r) ? 1 : (printf("status %x\n", r), 1);
    } else if (!strcmp(what, "socket")) {
      fd = socket(!strcmp(path, "inet") ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
      r = fd < 0 ? -1 : 0;
    } else if (!strcmp(what, "pair")) {
      int two[2];
      r = socketpair(AF_UNIX, SOCK_STREAM, 0, two);
    } else if (!strcmp(what, "chroot")) r = chroot(path);
    else return 2;
    if (r < 0) puts(strerrorname_np(errno));
    else if (!r) puts("done");
  }
  return 0;
}
