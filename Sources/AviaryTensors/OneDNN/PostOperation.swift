import COneDNN

/// What a kernel does to its result before it writes it, sparing a pass over memory.
enum PostOperation: Hashable, Sendable {
  case activation(EltwiseKernel)
  /// Adds what lies where the result will be written.
  case accumulate
}

extension Primitive {
  /// Attributes every primitive gets: scratch memory comes from us, so that concurrent runs never share it. Primitives are made inside of
  /// `body`, for work in so many parts.
  static func withAttributes<Result>(
    _ operations: [PostOperation] = [], parts: Int = ThreadTeam.shared.threadCount,
    _ body: (dnnl_primitive_attr_t) -> Result
  ) -> Result {
    var attributes: dnnl_primitive_attr_t?
    OneDNN.check(dnnl_primitive_attr_create(&attributes), "attributes")
    defer { dnnl_primitive_attr_destroy(attributes) }
    OneDNN.check(
      dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "scratchpad mode")
    guard !operations.isEmpty else { return OpenMP.withParts(parts) { body(attributes!) } }
    var list: dnnl_post_ops_t?
    OneDNN.check(dnnl_post_ops_create(&list), "post-operations")
    defer { dnnl_post_ops_destroy(list) }
    for operation in operations {
      switch operation {
      case .activation(let kernel):
        OneDNN.check(
          dnnl_post_ops_append_eltwise(list, 1, kernel.function.algorithm, kernel.alpha, kernel.beta),
          kernel.function.rawValue)
      case .accumulate: OneDNN.check(dnnl_post_ops_append_sum(list, 1), "a sum")
      }
    }
    OneDNN.check(dnnl_primitive_attr_set_post_ops(attributes, list), "post-operations")
    return OpenMP.withParts(parts) { body(attributes!) }
  }
}
