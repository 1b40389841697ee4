#pragma once
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

// libpng reports an error by a long jump, which must not cross Swift frames. These functions contain the jump: they
// return 0, or -1 with a message. Everything that decides anything is in Swift.

typedef struct {
  const unsigned char *bytes;
  size_t remaining;
  unsigned width, height;
  int stored_bits;  // of one pixel in the file
  int channels;  // after expansion to 8 bits and without alpha: 1 or 3
  char message[200];
} aviary_png;

static inline void aviary_png_fail(png_structp png, png_const_charp message) {
  aviary_png *state = (aviary_png *)png_get_error_ptr(png);
  snprintf(state->message, sizeof state->message, "%s", message);
  png_longjmp(png, 1);
}

static inline void aviary_png_ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static inline void aviary_png_take(png_structp png, png_bytep target, size_t count) {
  aviary_png *state = (aviary_png *)png_get_io_ptr(png);
  if (count > state->remaining) png_error(png, "the file ends too early");
  memcpy(target, state->bytes, count);
  state->bytes += count;
  state->remaining -= count;
}

/// Reads the header and, when `pixels` is not null, all rows of `width * channels` bytes.
__attribute__((noinline)) static int aviary_png_read(aviary_png *state, unsigned char *pixels) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, state, aviary_png_fail, aviary_png_ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    snprintf(state->message, sizeof state->message, "out of memory");
    return -1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return -1;
  }
  png_set_read_fn(png, state, aviary_png_take);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(png, info);
  state->stored_bits = png_get_bit_depth(png, info) * png_get_channels(png, info);
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  state->width = png_get_image_width(png, info);
  state->height = png_get_image_height(png, info);
  state->channels = png_get_channels(png, info);
  if (pixels) {
    if (png_get_rowbytes(png, info) != (size_t)state->width * state->channels) png_error(png, "unexpected row size");
    for (int pass = 0; pass < passes; pass++)
      for (unsigned y = 0; y < state->height; y++)
        png_read_row(png, pixels + (size_t)y * state->width * state->channels, NULL);
    png_read_end(png, NULL);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}
