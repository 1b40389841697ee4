import Synchronization

/// One entry of the walk over a module.
enum Member {
  case parameter(Parameter)
  case buffer(Buffer)
  case module(any Module)
}

/// The walk over a module's properties that finds its parameters, buffers and inner modules.
struct MemberWalk {
  /// Depth first in the order of declaration, with dotted names.
  private(set) var members: [(name: String, member: Member)] = []

  /// Appends what is inside `module`, whose names begin with `prefix`.
  mutating func visit(_ module: any Module, prefix: String) {
    if let container = module as? any Container {
      for child in container.namedChildren { add(prefix + child.name, child.module) }
      return
    }
    if let container = module as? any ParameterContainer {
      for own in container.ownParameters { add(prefix + own.name, own.parameter) }
      return
    }
    var levels: [Mirror] = []
    var mirror: Mirror? = Mirror(reflecting: module)
    while let level = mirror {
      levels.append(level)
      mirror = level.superclassMirror
    }
    for level in levels.reversed() {
      for child in level.children where !PlainTypes.contain(type(of: child.value)) {
        add(prefix + (child.label ?? "").snakeCased, child.value)
      }
    }
  }

  private mutating func add(_ name: String, _ value: Any) {
    switch value {
    case let parameter as Parameter: members.append((name, .parameter(parameter)))
    case let buffer as Buffer: members.append((name, .buffer(buffer)))
    case let module as any Module:
      members.append((name, .module(module)))
      // A container may give a child no name: what is inside then counts as its own.
      visit(module, prefix: name.hasSuffix(".") || name.isEmpty ? name : name + ".")
    default: addContents(name, value)
    }
  }

  /// Appends what an optional or array holds.
  private mutating func addContents(_ name: String, _ value: Any) {
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
      if let wrapped = mirror.children.first?.value { add(name, wrapped) }
    case .collection:
      guard let first = mirror.children.first?.value else { return }
      guard Self.isPart(first) else { return PlainTypes.insert(type(of: value), arrayOf: type(of: first)) }
      for (index, child) in mirror.children.enumerated() { add("\(name).\(index)", child.value) }
    default:
      assert(
        !Self.hidesParameters(mirror, depth: 3),
        "parameters of \(name) are hidden inside a \(mirror.subjectType): make them properties or an array")
      // A dictionary is looked at each time: this one may be empty.
      if mirror.displayStyle != .dictionary { PlainTypes.insert(type(of: value)) }
    }
  }

  private static func isPart(_ value: Any) -> Bool {
    if value is Parameter || value is Buffer || value is any Module { return true }
    let mirror = Mirror(reflecting: value)
    guard mirror.displayStyle == .optional || mirror.displayStyle == .collection else { return false }
    return mirror.children.first.map { isPart($0.value) } ?? false
  }

  /// For the assertion alone: does a tuple, dictionary or struct hold what only properties and arrays may?
  private static func hidesParameters(_ mirror: Mirror, depth: Int) -> Bool {
    guard depth > 0, [.tuple, .dictionary, .struct].contains(mirror.displayStyle) else { return false }
    return mirror.children.prefix(8).contains {
      $0.value is Parameter || $0.value is any Module
        || hidesParameters(Mirror(reflecting: $0.value), depth: depth - 1)
    }
  }
}

/// Types that never hold a parameter, such as the integers and shapes among a layer's properties: to find that out again for each of a
/// network's properties would take most of a walk's time.
private enum PlainTypes {
  private static let known = Mutex<Set<ObjectIdentifier>>([])

  static func contain(_ type: Any.Type) -> Bool {
    known.withLock { $0.contains(ObjectIdentifier(type)) }
  }

  static func insert(_ type: Any.Type) {
    _ = known.withLock { $0.insert(ObjectIdentifier(type)) }
  }

  /// An array is plain when its elements are of one plain type; those of a protocol may be anything.
  static func insert(_ array: Any.Type, arrayOf element: Any.Type) {
    guard let array = array as? any HomogeneousArray.Type, array.elementType == element,
      element is any Numeric.Type
    else { return }
    insert(array)
  }
}

private protocol HomogeneousArray {
  static var elementType: Any.Type { get }
}

extension Array: HomogeneousArray {
  fileprivate static var elementType: Any.Type { Element.self }
}

extension String {
  /// `runningMean` becomes `running_mean`.
  var snakeCased: String {
    // Most names are one word; characters are slow to ask.
    guard utf8.contains(where: { $0 < UInt8(ascii: "a") || $0 > UInt8(ascii: "z") }) else { return self }
    return reduce(into: "") { result, character in
      if character.isUppercase {
        if !result.isEmpty { result.append("_") }
        result.append(character.lowercased())
      } else {
        result.append(character)
      }
    }
  }
}
