/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_marks.c for the steps of machines without SSE2, which take the library's place */
#define JSON_MARKS_PORTABLE

#include "intake/json_marks.c" // NOLINT(bugprone-suspicious-include)

#include "test_json_marks.c" // NOLINT(bugprone-suspicious-include)
