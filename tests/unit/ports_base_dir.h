/* ports_base_dir.h - a folder for one test, and file systems that fill up. */
#ifndef FEDLET_TESTS_UNIT_PORTS_BASE_DIR_H
#define FEDLET_TESTS_UNIT_PORTS_BASE_DIR_H

#include <stdbool.h>
#include <stddef.h>

#define TEST_PATH_MAX 256

/* Makes an empty folder under TMPDIR (else /tmp). */
void test_dir_make(char out[TEST_PATH_MAX]);
/* Unmounts and removes it with all it holds. */
void test_dir_remove(const char *dir);
/* DIR/NAME */
void test_dir_path(const char *dir, const char *name, char out[TEST_PATH_MAX]);
/* Mounts a tmpfs of size_kib over the folder; false (and says so on stderr) when the machine does
 * not let us. */
bool test_dir_limit(const char *dir, unsigned size_kib);
/* Writes zeros to path until the disk is full. */
void test_fill_disk(const char *path);
/* Content of a file in memory of malloc. */
unsigned char *test_file_read(const char *path, size_t *len);
void test_file_write(const char *path, const void *at, size_t len);

#endif
