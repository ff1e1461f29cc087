// The sixteen columns of a panel in the registers of the instruction set that a source is compiled
// for.
#pragma once

#if defined(__AVX512F__)
#include "kernels/cpu/attention_columns_avx512.h"
#else
#include "kernels/cpu/attention_columns_avx2.h"
#endif
