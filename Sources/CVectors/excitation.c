#include "CVectors.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#include "activation.h"

void squeeze_block(const float *sums, const float *weights, int hidden, float *result) {
  for (int h = 0; h < hidden; h += 16) {
    Floats total = repeated(0);
    for (int channel = 0; channel < 16; channel++)
      total = _mm512_fmadd_ps(repeated(sums[channel]), _mm512_loadu_ps(weights + channel * hidden + h), total);
    _mm512_storeu_ps(result + h, total);
  }
}

void finish_squeezing(
    const float *contributions, int count, int hidden, const float *bias, VectorActivation activation, float *result) {
  for (int h = 0; h < hidden; h += 16) {
    Floats total = _mm512_loadu_ps(bias + h);
    for (int i = 0; i < count; i++) total = _mm512_add_ps(total, _mm512_loadu_ps(contributions + (long)i * hidden + h));
    _mm512_storeu_ps(result + h, activated(total, activation));
  }
}

void excite_block(
    const float *hidden, int hidden_count, const float *weights, const float *bias, VectorActivation gate,
    const float *input, float *output, long pixels) {
  // Two sums, or each product would wait for the one before.
  Floats even = _mm512_loadu_ps(bias), odd = repeated(0);
  for (int h = 0; h < hidden_count; h += 2) {
    even = _mm512_fmadd_ps(repeated(hidden[h]), _mm512_loadu_ps(weights + 16 * h), even);
    odd = _mm512_fmadd_ps(repeated(hidden[h + 1]), _mm512_loadu_ps(weights + 16 * h + 16), odd);
  }
  Floats factors = activated(_mm512_add_ps(even, odd), gate);
  for (long pixel = 0; pixel < pixels; pixel++)
    _mm512_store_ps(output + 16 * pixel, _mm512_mul_ps(_mm512_load_ps(input + 16 * pixel), factors));
}

#pragma clang attribute pop
#else

void squeeze_block(const float *sums, const float *weights, int hidden, float *result) { __builtin_trap(); }
void finish_squeezing(
    const float *contributions, int count, int hidden, const float *bias, VectorActivation activation, float *result) {
  __builtin_trap();
}
void excite_block(
    const float *hidden, int hidden_count, const float *weights, const float *bias, VectorActivation gate,
    const float *input, float *output, long pixels) {
  __builtin_trap();
}

#endif
