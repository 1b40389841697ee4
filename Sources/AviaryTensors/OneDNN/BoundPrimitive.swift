import COneDNN

/// A primitive with its operands at fixed places: running it again costs one call and no allocation.
final class BoundPrimitive {
  private let primitive: Primitive
  private var arguments: [dnnl_exec_arg_t] = []

  init(_ primitive: Primitive, _ operands: [Primitive.Argument]) {
    self.primitive = primitive
    arguments = operands.map { operand in
      var memory: dnnl_memory_t?
      var raw = operand.descriptor.raw
      OneDNN.check(dnnl_memory_create(&memory, &raw, OneDNN.engine.value, operand.pointer), "an operand")
      return dnnl_exec_arg_t(arg: operand.index, memory: memory)
    }
  }

  deinit { for argument in arguments { dnnl_memory_destroy(argument.memory) } }

  var implementation: String { primitive.implementation }

  /// From now on the operand at this place of those given at first lies elsewhere.
  func setOperand(_ place: Int, to pointer: UnsafeMutableRawPointer) {
    OneDNN.check(dnnl_memory_set_data_handle(arguments[place].memory, pointer), "an operand's place")
  }

  func run() { primitive.execute(prepared: arguments) }
}

extension Primitive {
  /// The primitive that copies values from one layout to another.
  static func reorder(from source: MemoryDescriptor, to target: MemoryDescriptor) -> Primitive {
    PrimitiveCache.primitive(.init(operation: "reorder", role: "reorder", descriptors: [source, target])) {
      withAttributes { Primitive(consuming: makeReorder(source, target, $0)!) }
    }
  }

  /// As ``reorder(from:to:)``, multiplying by a factor for each index of the first `axes` axes together (``Slot/factors``); nil where
  /// oneDNN has no fast kernel for that.
  static func scaledReorder(
    from source: MemoryDescriptor, to target: MemoryDescriptor, factorsAlongFirst axes: Int
  ) -> Primitive? {
    let key = PrimitiveCache.Key(operation: axes, role: "scaled reorder", descriptors: [source, target])
    return PrimitiveCache.availablePrimitive(key) {
      withAttributes { attributes in
        let givenLater = [dnnl_runtime_factor()]
        OneDNN.check(
          dnnl_primitive_attr_set_output_scales(attributes, 1, (1 << Int32(axes)) - 1, givenLater), "factors")
        guard let found = makeReorder(source, target, attributes) else { return nil }
        if name(of: found).hasPrefix("jit") { return Primitive(consuming: found) }
        dnnl_primitive_desc_destroy(found)
        return nil
      }
    }
  }

  private static func makeReorder(
    _ source: MemoryDescriptor, _ target: MemoryDescriptor, _ attributes: dnnl_primitive_attr_t
  ) -> dnnl_primitive_desc_t? {
    var result: dnnl_primitive_desc_t?
    var (source, target) = (source.raw, target.raw)
    let status = dnnl_reorder_primitive_desc_create(
      &result, &source, OneDNN.engine.value, &target, OneDNN.engine.value, attributes)
    return status == dnnl_success ? result : nil
  }

  /// Names of the operands, for code outside this folder.
  enum Slot {
    static let source = DNNL_ARG_SRC
    static let secondSource = DNNL_ARG_SRC_1
    static let weights = DNNL_ARG_WEIGHTS
    static let bias = DNNL_ARG_BIAS
    static let destination = DNNL_ARG_DST
    static let scratch = DNNL_ARG_SCRATCHPAD
    static let mean = DNNL_ARG_MEAN
    static let variance = DNNL_ARG_VARIANCE
    static let scale = DNNL_ARG_SCALE
    static let shift = DNNL_ARG_SHIFT
    static let factors = DNNL_ARG_ATTR_OUTPUT_SCALES
    static func source(_ index: Int) -> Int32 { DNNL_ARG_MULTIPLE_SRC + Int32(index) }
  }
}
