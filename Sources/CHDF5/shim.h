#pragma once
#include <hdf5.h>

// Swift imports neither macros that call functions nor functions that are macros in some releases of HDF5.

static inline hid_t aviary_h5_type_float32(void) { return H5T_IEEE_F32LE; }
static inline hid_t aviary_h5_type_float64(void) { return H5T_IEEE_F64LE; }
static inline hid_t aviary_h5_type_int32(void) { return H5T_STD_I32LE; }
static inline hid_t aviary_h5_type_int64(void) { return H5T_STD_I64LE; }
static inline hid_t aviary_h5_type_int8(void) { return H5T_STD_I8LE; }
static inline hid_t aviary_h5_type_uint8(void) { return H5T_STD_U8LE; }
static inline hid_t aviary_h5_type_uint16(void) { return H5T_STD_U16LE; }
static inline hid_t aviary_h5_type_string(void) { return H5T_C_S1; }
static inline unsigned aviary_h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned aviary_h5_truncate(void) { return H5F_ACC_TRUNC; }
static inline size_t aviary_h5_variable_size(void) { return H5T_VARIABLE; }
static inline hid_t aviary_h5_class_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t aviary_h5_class_dataset_create(void) { return H5P_DATASET_CREATE; }

// 0 hard, 1 soft, 2 external or user-defined.
static inline int aviary_h5_link_kind(H5L_type_t type) {
  return type == H5L_TYPE_HARD ? 0 : type == H5L_TYPE_SOFT ? 1 : 2;
}

// The kind of the link `name` in `group`, negative when there is none.
static inline int aviary_h5_link(hid_t group, const char *name) {
  H5L_info_t info;
  return H5Lget_info(group, name, &info, H5P_DEFAULT) < 0 ? -1 : aviary_h5_link_kind(info.type);
}

typedef struct {
  void *context;
  herr_t (*visit)(void *context, const char *name, int kind);
} aviary_h5_visitor;

static inline herr_t aviary_h5_forward_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
  (void)group;
  aviary_h5_visitor *visitor = (aviary_h5_visitor *)data;
  return visitor->visit(visitor->context, name, aviary_h5_link_kind(info->type));
}

// Calls `visit` for every link of `group`; a result of 1 stops.
static inline herr_t aviary_h5_each_link(
    hid_t group, void *context, herr_t (*visit)(void *context, const char *name, int kind)) {
  aviary_h5_visitor visitor = {context, visit};
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, aviary_h5_forward_link, &visitor);
}

// The object `name` of `group` without following anything else; H5Oopen reads its header first.
static inline hid_t aviary_h5_open(hid_t group, const char *name) { return H5Oopen(group, name, H5P_DEFAULT); }

// Reading needs no file lock, and read-only file systems have none.
static inline void aviary_h5_skip_file_lock(hid_t access) {
#if H5_VERSION_GE(1, 10, 7) && !(H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 12 && H5_VERS_RELEASE < 1)
  H5Pset_file_locking(access, 0, 1);
#else
  (void)access;
#endif
}
