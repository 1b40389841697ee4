// Activation functions of 16 values. To be included where functions are made for AVX-512.
#pragma once
#include <immintrin.h>
#include "CVectors.h"

#define INLINE static inline __attribute__((always_inline))

typedef __m512 Floats;

INLINE Floats repeated(float value) { return _mm512_set1_ps(value); }

// Of a NaN and another number these instructions return the second one.
INLINE Floats clamped(Floats x, Floats low, Floats high) { return _mm512_min_ps(high, _mm512_max_ps(low, x)); }

// 1 + e⁻ˣ. With t = -x/ln 2, e⁻ˣ is 2^t: the power of the nearest integer goes into the exponent, that of the rest, at most 1/2, is a
// polynomial with the least largest relative error, 7.5e-8. Rounding t adds 6e-8·|x|, which matters only where x·σ(x) is nearly 0.
INLINE Floats one_plus_exp_minus(Floats x) {
  // 2^129 is infinite already, and its rest 0.
  Floats t = _mm512_min_ps(repeated(129), _mm512_mul_ps(x, repeated(-1.44269504f)));
  Floats nearest = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT);
  Floats rest = _mm512_sub_ps(t, nearest);
  Floats power = repeated(1.327647129e-3f);
  power = _mm512_fmadd_ps(power, rest, repeated(9.675540961e-3f));
  power = _mm512_fmadd_ps(power, rest, repeated(5.550713092e-2f));
  power = _mm512_fmadd_ps(power, rest, repeated(2.4022120237e-1f));
  power = _mm512_fmadd_ps(power, rest, repeated(6.9314694405e-1f));
  power = _mm512_fmadd_ps(power, rest, repeated(1.0000001192f));
  return _mm512_add_ps(_mm512_scalef_ps(power, nearest), repeated(1));
}

INLINE Floats hard_logistic(Floats x) {
  return clamped(_mm512_fmadd_ps(x, repeated(1.0f / 6), repeated(0.5f)), repeated(0), repeated(1));
}

INLINE Floats activated(Floats x, VectorActivation activation) {
  switch (activation.function) {
  case VectorIdentity: return x;
  case VectorClamp: return clamped(x, repeated(activation.low), repeated(activation.high));
  case VectorSwish: return _mm512_div_ps(x, one_plus_exp_minus(x));
  case VectorHardSwish: return _mm512_mul_ps(x, hard_logistic(x));
  case VectorLogistic: return _mm512_div_ps(repeated(1), one_plus_exp_minus(x));
  case VectorHardLogistic: return hard_logistic(x);
  }
}
