#include "CVectors.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#include "activation.h"

// As many pixels as there are registers for.
enum { most_pixels = 28 };

// `count` neighbouring pixels of a block of channels of the result, in a register each: each weight is loaded once for all of them.
INLINE void neighbours(
    int count, const PointwiseConvolution *c, const float *input, const float *weights, Floats bias, float *output) {
  Floats sums[most_pixels];
#pragma unroll
  for (int i = 0; i < count; i++) sums[i] = c->accumulates ? _mm512_add_ps(_mm512_load_ps(output + 16 * i), bias) : bias;
  for (int left = c->channels; left > 0; left -= 16, input += c->plane) {
    int channels = left < 16 ? left : 16;
    for (int channel = 0; channel < channels; channel++, weights += 16) {
      // Winograd's transformed weights are many, and come from memory: a line every 16 to 28 cycles, 48 lines ahead.
      _mm_prefetch((const char *)(weights + 16 * 48), _MM_HINT_T0);
      Floats filter = _mm512_load_ps(weights);
#pragma unroll
      for (int i = 0; i < count; i++) sums[i] = _mm512_fmadd_ps(filter, repeated(input[16 * i + channel]), sums[i]);
    }
  }
  if (c->after.function == VectorClamp) {
#pragma unroll
    for (int i = 0; i < count; i++) sums[i] = clamped(sums[i], repeated(c->after.low), repeated(c->after.high));
  }
#pragma unroll
  for (int i = 0; i < count; i++) _mm512_store_ps(output + 16 * i, sums[i]);
  if (c->after.function == VectorClamp || c->after.function == VectorIdentity) return;
  for (int i = 0; i < count; i++)
    _mm512_store_ps(output + 16 * i, activated(_mm512_load_ps(output + 16 * i), c->after));
}

static void convolve_few(
    const PointwiseConvolution *c, const float *input, const float *weights, Floats bias, float *output, int count) {
  switch (count) {
#define CASE(count) case count: return neighbours(count, c, input, weights, bias, output);
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
    CASE(15) CASE(16) CASE(17) CASE(18) CASE(19) CASE(20) CASE(21) CASE(22) CASE(23) CASE(24) CASE(25) CASE(26) CASE(27)
    CASE(28)
  default: __builtin_trap();
  }
}

void convolve_pointwise(
    const PointwiseConvolution *c, const float *input, const float *weights, const float *bias_, float *output, int count) {
  Floats bias = _mm512_loadu_ps(bias_);
  for (int left = (count + most_pixels - 1) / most_pixels; left > 0; left--) {
    int few = count / left;
    convolve_few(c, input, weights, bias, output, few);
    input += 16 * few;
    output += 16 * few;
    count -= few;
  }
}

void add_contribution(const float *contribution, long pixels, VectorActivation after, float *result) {
  for (long i = 0; i < 16 * pixels; i += 16)
    _mm512_store_ps(
        result + i, activated(_mm512_add_ps(_mm512_load_ps(result + i), _mm512_load_ps(contribution + i)), after));
}

#pragma clang attribute pop
#else

void convolve_pointwise(
    const PointwiseConvolution *c, const float *input, const float *weights, const float *bias, float *output, int count) {
  __builtin_trap();
}
void add_contribution(const float *contribution, long pixels, VectorActivation after, float *result) { __builtin_trap(); }

#endif
