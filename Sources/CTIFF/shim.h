#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

// libtiff hands tags out through variable arguments, which Swift cannot receive. These functions return 0, or -1 with a
// message. Everything that decides anything is in Swift.

typedef struct {
  const unsigned char *bytes;
  size_t count, position;
  tmsize_t memory_limit;  // of one allocation inside libtiff
  unsigned width, height;
  int orientation;  // 0 when the file states none
  int is_grey;
  int is_unsupported;  // set with the message when the file is of a kind that libtiff makes no colours of
  const void *xmp;  // valid while the file is open
  unsigned xmp_count;
  char message[1024];
} aviary_tiff;

static inline tmsize_t aviary_tiff_take(thandle_t handle, void *target, tmsize_t count) {
  aviary_tiff *state = (aviary_tiff *)handle;
  size_t left = state->count - state->position;
  size_t taken = (size_t)count < left ? (size_t)count : left;
  memcpy(target, state->bytes + state->position, taken);
  state->position += taken;
  return (tmsize_t)taken;
}

static inline tmsize_t aviary_tiff_refuse(thandle_t handle, void *source, tmsize_t count) {
  (void)handle, (void)source, (void)count;
  return 0;
}

static inline toff_t aviary_tiff_seek(thandle_t handle, toff_t offset, int origin) {
  aviary_tiff *state = (aviary_tiff *)handle;
  toff_t base = origin == SEEK_CUR ? state->position : origin == SEEK_END ? state->count : 0;
  toff_t wanted = base + offset;
  state->position = wanted < state->count ? (size_t)wanted : state->count;
  return state->position;
}

static inline int aviary_tiff_close(thandle_t handle) {
  (void)handle;
  return 0;
}

static inline toff_t aviary_tiff_size(thandle_t handle) { return ((aviary_tiff *)handle)->count; }

static inline int aviary_tiff_map(thandle_t handle, void **base, toff_t *size) {
  aviary_tiff *state = (aviary_tiff *)handle;
  *base = (void *)state->bytes;
  *size = state->count;
  return 1;
}

static inline void aviary_tiff_unmap(thandle_t handle, void *base, toff_t size) {
  (void)handle, (void)base, (void)size;
}

/// The first message is the cause; what follows are its consequences.
static inline int aviary_tiff_fail(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)module;
  aviary_tiff *state = (aviary_tiff *)user;
  if (!state->message[0]) vsnprintf(state->message, sizeof state->message, format, arguments);
  return 1;
}

static inline int aviary_tiff_ignore(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)user, (void)module, (void)format, (void)arguments;
  return 1;
}

static inline TIFF *aviary_tiff_open(aviary_tiff *state) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, state->memory_limit);
  TIFFOpenOptionsSetErrorHandlerExtR(options, aviary_tiff_fail, state);
  TIFFOpenOptionsSetWarningHandlerExtR(options, aviary_tiff_ignore, state);
  TIFF *tiff = TIFFClientOpenExt(
      "TIFF", "r", (thandle_t)state, aviary_tiff_take, aviary_tiff_refuse, aviary_tiff_seek, aviary_tiff_close,
      aviary_tiff_size, aviary_tiff_map, aviary_tiff_unmap, options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

/// Reads what the first directory says.
static inline TIFF *aviary_tiff_header(aviary_tiff *state) {
  TIFF *tiff = aviary_tiff_open(state);
  if (!tiff) return NULL;
  uint32_t width = 0, height = 0, count = 0;
  uint16_t orientation = 0, photometric = 0, samples = 1;
  void *packet = NULL;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  if (TIFFGetField(tiff, TIFFTAG_XMLPACKET, &count, &packet)) {
    state->xmp = packet;
    state->xmp_count = count;
  }
  state->width = width;
  state->height = height;
  state->orientation = orientation;
  state->is_grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  state->is_unsupported = !TIFFRGBAImageOK(tiff, state->message);
  return tiff;
}

/// Fills `pixels` with width × height values of red, green, blue and alpha from the least significant byte on, as they are stored: not
/// turned, and with colours that no alpha was multiplied into.
static inline int aviary_tiff_pixels(aviary_tiff *state, TIFF *tiff, unsigned *pixels) {
  uint16_t count = 0, *kinds = NULL;
  TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
  if (count == 1 && kinds[0] == EXTRASAMPLE_UNASSALPHA) {
    // libtiff would blend with black: told that this had been done, it leaves colours alone.
    uint16_t blended = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &blended);
  }
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  state->message[0] = 0;
  int isRead = TIFFReadRGBAImageOriented(tiff, state->width, state->height, pixels, ORIENTATION_TOPLEFT, 1);
  return isRead && !state->message[0] ? 0 : -1;
}
