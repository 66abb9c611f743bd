/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that fail to compile here, because each has a bounded or thread-safe replacement. The
 * Makefile includes this file in front of every translation unit.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi atol atof
#pragma GCC poison system popen tmpnam tempnam mktemp localtime gmtime ctime asctime
