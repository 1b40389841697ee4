#include "CVectors.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#include "activation.h"

// Polynomials through the points 0, ±a, ±b and infinity: with these, rounding errors stay smaller than with whole numbers.
static const float a = 0.625f, b = 1.5f;
#define A2 (a * a)
#define B2 (b * b)

INLINE Floats times(float factor, Floats x) { return _mm512_mul_ps(repeated(factor), x); }
INLINE Floats plus(Floats sum, float factor, Floats x) { return _mm512_fmadd_ps(repeated(factor), x, sum); }

// Bᵀd for six values.
INLINE void transform_six(const Floats *d, int step, Floats *result, int result_step) {
  Floats d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  Floats even_a = plus(d4, -B2, d2), odd_a = times(a, plus(d3, -B2, d1));
  Floats even_b = plus(d4, -A2, d2), odd_b = times(b, plus(d3, -A2, d1));
  result[0] = plus(plus(d4, -(A2 + B2), d2), A2 * B2, d0);
  result[result_step] = _mm512_add_ps(even_a, odd_a);
  result[2 * result_step] = _mm512_sub_ps(even_a, odd_a);
  result[3 * result_step] = _mm512_add_ps(even_b, odd_b);
  result[4 * result_step] = _mm512_sub_ps(even_b, odd_b);
  result[5 * result_step] = plus(plus(d5, -(A2 + B2), d3), A2 * B2, d1);
}

// Aᵀm for six products: four values.
INLINE void finish_six(const Floats *m, int step, Floats *result, int result_step) {
  Floats sum_a = _mm512_add_ps(m[step], m[2 * step]), difference_a = _mm512_sub_ps(m[step], m[2 * step]);
  Floats sum_b = _mm512_add_ps(m[3 * step], m[4 * step]), difference_b = _mm512_sub_ps(m[3 * step], m[4 * step]);
  result[0] = _mm512_add_ps(_mm512_add_ps(m[0], sum_a), sum_b);
  result[result_step] = plus(times(a, difference_a), b, difference_b);
  result[2 * result_step] = plus(times(A2, sum_a), B2, sum_b);
  result[3 * result_step] = plus(plus(m[5 * step], a * A2, difference_a), b * B2, difference_b);
}

static void transform_tile(
    const WinogradConvolution *c, const float *input, int top, int left, float *result, long step) {
  Floats values[36], half[36];
  if (top >= 0 && left >= 0 && top + 6 <= c->height && left + 6 <= c->width) {
    for (int y = 0; y < 6; y++)
#pragma unroll
      for (int x = 0; x < 6; x++) values[6 * y + x] = _mm512_load_ps(input + ((long)(top + y) * c->width + left + x) * 16);
  } else {
    for (int y = top; y < top + 6; y++)
      for (int x = left; x < left + 6; x++) {
        bool is_inside = y >= 0 && y < c->height && x >= 0 && x < c->width;
        values[6 * (y - top) + x - left] = is_inside ? _mm512_load_ps(input + ((long)y * c->width + x) * 16) : repeated(0);
      }
  }
  for (int x = 0; x < 6; x++) transform_six(values + x, 6, half + x, 6);
  for (int y = 0; y < 6; y++) {
    Floats row[6];
    transform_six(half + 6 * y, 1, row, 1);
#pragma unroll
    for (int x = 0; x < 6; x++) _mm512_store_ps(result + (6 * y + x) * step, row[x]);
  }
}

void transform_tiles(const WinogradConvolution *c, const float *input, int blocks, int first, int count, float *result) {
  for (int block = 0; block < blocks; block++) {
    for (int i = 0; i < count; i++) {
      int y = (first + i) / c->tiles_across, x = (first + i) % c->tiles_across;
      transform_tile(
          c, input + block * 16l * c->height * c->width, 4 * y - c->top, 4 * x - c->left,
          result + (block * (long)count + i) * 16, blocks * (long)count * 16);
    }
  }
}

static void finish_tile(
    const WinogradConvolution *c, const float *products, long step, int top, int left, Floats bias, float *output) {
  Floats half[24], values[16];
  for (int x = 0; x < 6; x++) {
    Floats column[6];
#pragma unroll
    for (int y = 0; y < 6; y++) column[y] = _mm512_load_ps(products + (6 * y + x) * step);
    finish_six(column, 1, half + x, 6);
  }
  for (int y = 0; y < 4; y++) finish_six(half + 6 * y, 1, values + 4 * y, 1);
  int rows = c->output_height - top < 4 ? c->output_height - top : 4;
  int columns = c->output_width - left < 4 ? c->output_width - left : 4;
  for (int y = 0; y < rows; y++) {
    float *place = output + ((long)(top + y) * c->output_width + left) * 16;
    for (int x = 0; x < columns; x++) {
      Floats value = _mm512_add_ps(values[4 * y + x], bias);
      if (c->accumulates) value = _mm512_add_ps(value, _mm512_load_ps(place + 16 * x));
      _mm512_store_ps(place + 16 * x, activated(value, c->after));
    }
  }
}

void convolve_tiles(
    const WinogradConvolution *c, const float *tiles, int blocks, int first, int count, const float *weights,
    const float *bias_, float *products, float *output) {
  static const float zeros[16];
  PointwiseConvolution product = {.channels = 16 * blocks, .plane = 16l * count};
  for (int i = 0; i < 36; i++)
    convolve_pointwise(
        &product, tiles + i * 16l * blocks * count, weights + i * 256l * blocks, zeros, products + i * 16l * count, count);
  Floats bias = _mm512_loadu_ps(bias_);
  for (int i = 0; i < count; i++) {
    int y = (first + i) / c->tiles_across, x = (first + i) % c->tiles_across;
    finish_tile(c, products + 16l * i, 16l * count, 4 * y, 4 * x, bias, output);
  }
}

#pragma clang attribute pop
#else

void transform_tiles(const WinogradConvolution *c, const float *input, int blocks, int first, int count, float *result) {
  __builtin_trap();
}
void convolve_tiles(
    const WinogradConvolution *c, const float *tiles, int blocks, int first, int count, const float *weights,
    const float *bias, float *products, float *output) {
  __builtin_trap();
}

#endif
