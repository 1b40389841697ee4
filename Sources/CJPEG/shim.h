#pragma once
#include <stddef.h>
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// libjpeg reports an error by calling a function that must not return, so by a long jump, which must not cross Swift
// frames. These functions contain the jump: they return 0, or -1 with a message. Everything that decides anything is
// in Swift.

typedef struct {
  unsigned width, height;
  int channels;  // 1 grey, 3 RGB, 4 CMYK
  int scan_limit;  // the most scans that are read
  char message[JMSG_LENGTH_MAX];
} aviary_jpeg;

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf jump;
  char *message;
  int scan_limit;
} aviary_jpeg_errors;

static inline void aviary_jpeg_fail(j_common_ptr info) {
  aviary_jpeg_errors *errors = (aviary_jpeg_errors *)info->err;
  errors->base.format_message(info, errors->message);
  longjmp(errors->jump, 1);
}

/// Lost picture data is only a warning to libjpeg, which fills in grey; here it is an error.
static inline void aviary_jpeg_warn(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      aviary_jpeg_fail(info);
  }
}

/// A small progressive file can ask for any number of passes over a large picture.
static inline void aviary_jpeg_progress(j_common_ptr info) {
  aviary_jpeg_errors *errors = (aviary_jpeg_errors *)info->err;
  if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > errors->scan_limit) {
    snprintf(errors->message, JMSG_LENGTH_MAX, "more than %d scans of so many pixels", errors->scan_limit);
    longjmp(errors->jump, 1);
  }
}

static inline void aviary_jpeg_catch(aviary_jpeg_errors *errors, char *message) {
  jpeg_std_error(&errors->base);
  errors->base.error_exit = aviary_jpeg_fail;
  errors->base.emit_message = aviary_jpeg_warn;
  errors->message = message;
}

/// Reads the header and, when `pixels` is not null, all rows of `width * channels` bytes.
__attribute__((noinline)) static int aviary_jpeg_read(
    aviary_jpeg *state, const unsigned char *bytes, size_t count, unsigned char *pixels) {
  struct jpeg_decompress_struct info;
  struct jpeg_progress_mgr progress = {.progress_monitor = aviary_jpeg_progress};
  aviary_jpeg_errors errors;
  memset(&info, 0, sizeof info);
  aviary_jpeg_catch(&errors, state->message);
  errors.scan_limit = state->scan_limit;
  info.err = &errors.base;
  if (setjmp(errors.jump)) {
    jpeg_destroy_decompress(&info);
    return -1;
  }
  jpeg_create_decompress(&info);
  info.progress = &progress;
  jpeg_mem_src(&info, (unsigned char *)bytes, count);
  jpeg_read_header(&info, TRUE);
  state->width = info.image_width;
  state->height = info.image_height;
  state->channels = info.num_components;
  if (pixels) {
    info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : info.num_components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels + (size_t)info.output_scanline * info.output_width * info.output_components;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
  }
  jpeg_destroy_decompress(&info);
  return 0;
}

/// Compresses grey or RGB rows into memory of `malloc`, which the caller frees.
__attribute__((noinline)) static int aviary_jpeg_write(
    aviary_jpeg *state, const unsigned char *pixels, int quality, unsigned char **bytes, unsigned long *count) {
  struct jpeg_compress_struct info;
  aviary_jpeg_errors errors;
  memset(&info, 0, sizeof info);
  aviary_jpeg_catch(&errors, state->message);
  info.err = &errors.base;
  if (setjmp(errors.jump)) {
    jpeg_destroy_compress(&info);
    return -1;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, bytes, count);
  info.image_width = state->width;
  info.image_height = state->height;
  info.input_components = state->channels;
  info.in_color_space = state->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = (JSAMPROW)pixels + (size_t)info.next_scanline * info.image_width * info.input_components;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return 0;
}
