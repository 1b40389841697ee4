// Loops for processors with vectors of 16 floats (AVX-512). Swift's compiler makes such code for whole programs only, which would then not
// run anywhere else; here the processor is asked first.
//
// Values lie in blocks of 16 channels, N×(C/16)×H×W×16, each block on a boundary of 64 bytes; channels that fill up the last block are 0
// and stay 0.
#pragma once
#include <stdbool.h>

typedef enum {
  VectorIdentity,
  // min(max(x, low), high)
  VectorClamp,
  // x·σ(x)
  VectorSwish,
  // x·min(max(x/6 + 1/2, 0), 1)
  VectorHardSwish,
  // σ(x) = 1 / (1 + e⁻ˣ)
  VectorLogistic,
  // min(max(x/6 + 1/2, 0), 1)
  VectorHardLogistic,
} VectorFunction;

typedef struct {
  VectorFunction function;
  // For clamping only.
  float low, high;
} VectorActivation;

// A convolution of each channel with a filter of its own, and what happens to its input and result. Rows and columns beyond the input's are
// zeros.
typedef struct {
  int height, width, output_height, output_width;
  int kernel, stride;
  // Rows and columns of zeros before the first ones.
  int top, left;
  VectorActivation before, after;
} DepthwiseConvolution;

// Whether the processor has the vectors, and there is a loop for these sizes.
bool can_convolve_depthwise(const DepthwiseConvolution *convolution);

// A convolution with filters of one pixel: a matrix product at each pixel.
typedef struct {
  // Of the input.
  int channels;
  // Floats from one block of the input's channels to the next.
  long plane;
  // Whether the result is added to what lies there.
  bool accumulates;
  VectorActivation after;
} PointwiseConvolution;

// `count` neighbouring pixels of one block of the result's channels.
//
// input: the same pixels of the first block of channels; weights: channels×16, filled up to whole blocks; bias: 16; output: count×16.
void convolve_pointwise(
    const PointwiseConvolution *convolution, const float *input, const float *weights, const float *bias, float *output,
    int count);

// The activation of the sum of a block's result so far and what other channels of the input contribute. Both: pixels×16.
void add_contribution(const float *contribution, long pixels, VectorActivation after, float *result);

// What a depthwise convolution reads: a block of channels, H×W×16, or what a pointwise convolution makes of some blocks, each row of which is
// computed when it is needed.
typedef struct {
  const float *values;
  // NULL for the values themselves.
  const PointwiseConvolution *expansion;
  // The pointwise convolution's, as above.
  const float *weights, *bias;
} DepthwiseInput;

// Rows `first..<end` of the result for one block of channels.
//
// filters: kernel×kernel×16; bias: 16; output: H×W×16. Writes the sum of the rows for each channel to `sums`.
void convolve_depthwise(
    const DepthwiseConvolution *convolution, const DepthwiseInput *input, const float *filters, const float *bias,
    float *output, int first, int end, float *sums);

// A convolution with filters of 3×3 by F(4×4, 3×3) (Lavin & Gray 2016): tiles of 4×4 values of the result, counted row by row, from tiles of
// 6×6 values of the input.
typedef struct {
  int height, width, output_height, output_width;
  // Rows and columns of zeros before the first ones.
  int top, left;
  // Tiles side by side.
  int tiles_across;
  // Whether the result is added to what lies there.
  bool accumulates;
  VectorActivation after;
} WinogradConvolution;

// Bᵀ d B for `count` tiles of all `blocks` of an image's channels. input: blocks×H×W×16; result: 36×blocks×count×16.
void transform_tiles(
    const WinogradConvolution *convolution, const float *input, int blocks, int first, int count, float *result);

// The same tiles of one block of the result's channels, H×W×16. tiles: what `transform_tiles` made; weights: 36×channels×16, transformed; bias:
// 16; products: room for 36×count×16.
void convolve_tiles(
    const WinogradConvolution *convolution, const float *tiles, int blocks, int first, int count, const float *weights,
    const float *bias, float *products, float *output);

// What the sums of a block's channels contribute to `hidden` values, a multiple of 16: sums · weights, which are 16×hidden.
void squeeze_block(const float *sums, const float *weights, int hidden, float *result);

// The activation of the sum of `count` contributions and a bias. contributions: count×hidden.
void finish_squeezing(
    const float *contributions, int count, int hidden, const float *bias, VectorActivation activation, float *result);

// Multiplies each channel of a block by gate(hidden · weights + bias). weights: hidden×16; bias: 16; input, output: pixels×16.
void excite_block(
    const float *hidden, int hidden_count, const float *weights, const float *bias, VectorActivation gate,
    const float *input, float *output, long pixels);
