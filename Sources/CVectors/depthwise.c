#include "CVectors.h"
#include <string.h>

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#include "activation.h"

// Rows of the input that a row of the result needs lie on the stack, which may be small.
static const long most_row_bytes = 256 << 10;

// Columns that a row of the result reads, or a row of the input has, zeros included.
INLINE int padded_width(const DepthwiseConvolution *c) {
  int read = (c->output_width - 1) * c->stride + c->kernel, held = c->left + c->width;
  return read > held ? read : held;
}

bool can_convolve_depthwise(const DepthwiseConvolution *c) {
  int kernel = c->kernel, stride = c->stride;
  bool is_known = stride == 1 ? kernel == 3 || kernel == 5 || kernel == 7 : stride == 2 && (kernel == 3 || kernel == 5);
  return __builtin_cpu_supports("avx512f") && is_known && c->top < kernel && c->left < kernel
         && padded_width(c) * 64l * kernel <= most_row_bytes;
}

// `count` neighbours in a row of the result: each value of the input is loaded once for all that it goes into. Returns their sum.
INLINE Floats neighbours(
    int count, int kernel, int stride, const float *const *rows, const float *filters, Floats bias,
    VectorActivation after, float *output) {
  Floats values[8];
#pragma unroll
  for (int i = 0; i < count; i++) values[i] = bias;
#pragma unroll
  for (int y = 0; y < kernel; y++) {
#pragma unroll
    for (int x = 0; x < (count - 1) * stride + kernel; x++) {
      Floats read = _mm512_load_ps(rows[y] + 16 * x);
#pragma unroll
      for (int i = 0; i < count; i++) {
        int column = x - i * stride;
        if (column < 0 || column >= kernel) continue;
        values[i] = _mm512_fmadd_ps(read, _mm512_load_ps(filters + 16 * (y * kernel + column)), values[i]);
      }
    }
  }
  Floats sum = repeated(0);
#pragma unroll
  for (int i = 0; i < count; i++) {
    values[i] = activated(values[i], after);
    _mm512_store_ps(output + 16 * i, values[i]);
    sum = _mm512_add_ps(sum, values[i]);
  }
  return sum;
}

INLINE void activate_row(const float *input, int width, VectorActivation activation, float *output) {
  switch (activation.function) {
  case VectorIdentity: memcpy(output, input, width * 64l); return;
  default:
#pragma unroll 4
    for (int x = 0; x < width; x++)
      _mm512_store_ps(output + 16 * x, activated(_mm512_load_ps(input + 16 * x), activation));
  }
}

INLINE void make_row(const DepthwiseConvolution *c, const DepthwiseInput *input, int y, float *row) {
  const float *values = input->values + y * (c->width * 16l);
  if (input->expansion) convolve_pointwise(input->expansion, values, input->weights, input->bias, row, c->width);
  else activate_row(values, c->width, c->before, row);
}

// For a kernel and stride that the compiler knows.
INLINE void convolve(
    int kernel, int stride, const DepthwiseConvolution *c, const DepthwiseInput *input, const float *filters,
    const float *bias_, float *output, int first, int end, float *sums) {
  // As many rows of the input as the kernel has, activated and with zeros on both sides; row y lies in place y mod kernel.
  long row_length = padded_width(c) * 16l;
  float held[kernel * row_length] __attribute__((aligned(64)));
  memset(held, 0, sizeof held);
#define ROW(y) (held + ((y) + kernel) % kernel * row_length)
  Floats bias = _mm512_loadu_ps(bias_), sum = repeated(0);
  int next = first * stride - c->top;
  for (int y = first; y < end; y++, output += c->output_width * 16l) {
    int top = y * stride - c->top;
    if (next < top) next = top;
    for (; next < top + kernel; next++) {
      if (next < 0 || next >= c->height) memset(ROW(next), 0, row_length * sizeof(float));
      else make_row(c, input, next, ROW(next) + c->left * 16);
    }
    const float *rows[kernel];
    for (int row = 0; row < kernel; row++) rows[row] = ROW(top + row);
    Floats row_sum = repeated(0);
    int x = 0;
    // Sevens fit the widths 7·2ⁿ that networks for 224 pixels have.
#define NEIGHBOURS(count)                                                                                                 \
  for (; x + count <= c->output_width; x += count) {                                                                      \
    row_sum = _mm512_add_ps(                                                                                              \
        row_sum, neighbours(count, kernel, stride, rows, filters, bias, c->after, output + 16 * x));                      \
    for (int row = 0; row < kernel; row++) rows[row] += 16 * stride * count;                                              \
  }
    NEIGHBOURS(7)
    NEIGHBOURS(4)
    NEIGHBOURS(1)
    sum = _mm512_add_ps(sum, row_sum);
  }
  _mm512_storeu_ps(sums, sum);
}

void convolve_depthwise(
    const DepthwiseConvolution *c, const DepthwiseInput *input, const float *filters, const float *bias, float *output,
    int first, int end, float *sums) {
  output += (long)first * c->output_width * 16;
  switch (10 * c->kernel + c->stride) {
  case 31: return convolve(3, 1, c, input, filters, bias, output, first, end, sums);
  case 32: return convolve(3, 2, c, input, filters, bias, output, first, end, sums);
  case 51: return convolve(5, 1, c, input, filters, bias, output, first, end, sums);
  case 52: return convolve(5, 2, c, input, filters, bias, output, first, end, sums);
  case 71: return convolve(7, 1, c, input, filters, bias, output, first, end, sums);
  default: __builtin_trap();
  }
}

#pragma clang attribute pop
#else

bool can_convolve_depthwise(const DepthwiseConvolution *c) { return false; }
void convolve_depthwise(
    const DepthwiseConvolution *c, const DepthwiseInput *input, const float *filters, const float *bias, float *output,
    int first, int end, float *sums) {
  __builtin_trap();
}

#endif
