import Foundation

/// What a symbol graph says of a symbol.
struct Graph: Decodable {
  struct Symbol: Decodable {
    struct Comment: Decodable {}
    let pathComponents: [String]
    let docComment: Comment?
  }
  struct Module: Decodable { let name: String }
  let module: Module
  let symbols: [Symbol]
}

var undocumented: [String] = []
var count = 0
for path in CommandLine.arguments.dropFirst() {
  let graph = try JSONDecoder().decode(Graph.self, from: Data(contentsOf: URL(filePath: path)))
  count += graph.symbols.count
  for symbol in graph.symbols where symbol.docComment == nil {
    undocumented.append("\(graph.module.name).\(symbol.pathComponents.joined(separator: "."))")
  }
}
for name in undocumented.sorted() { print("api: no comment on \(name)") }
print("api: \(count) public symbols, \(undocumented.count) without a comment")
exit(undocumented.isEmpty ? 0 : 1)
