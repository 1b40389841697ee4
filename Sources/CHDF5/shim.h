#pragma once
#include <hdf5.h>

// Swift imports neither macros that call functions nor functions that are macros in some releases of HDF5.

static inline hid_t aviary_h5_type_float32(void) { return H5T_IEEE_F32LE; }
static inline hid_t aviary_h5_type_float64(void) { return H5T_IEEE_F64LE; }
static inline hid_t aviary_h5_type_int8(void) { return H5T_STD_I8LE; }
static inline hid_t aviary_h5_type_int32(void) { return H5T_STD_I32LE; }
static inline hid_t aviary_h5_type_int64(void) { return H5T_STD_I64LE; }
static inline hid_t aviary_h5_type_uint8(void) { return H5T_STD_U8LE; }
static inline hid_t aviary_h5_type_string(void) { return H5T_C_S1; }
static inline hid_t aviary_h5_class_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t aviary_h5_class_dataset_creation(void) { return H5P_DATASET_CREATE; }
static inline size_t aviary_h5_variable_size(void) { return H5T_VARIABLE; }
static inline unsigned aviary_h5_truncate(void) { return H5F_ACC_TRUNC; }

// A file being written has a name of its own until it is complete, and some file systems have no locks.
static inline void aviary_h5_skip_file_lock(hid_t access) {
#if H5_VERSION_GE(1, 10, 7) && !(H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 12 && H5_VERS_RELEASE < 1)
  H5Pset_file_locking(access, 0, 1);
#else
  (void)access;
#endif
}
