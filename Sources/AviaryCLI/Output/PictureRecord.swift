import Aviary

/// What a command found in a picture, as it shows it or as JSON has it.
protocol PictureRecord: Encodable {
  /// Nothing is known of the picture yet.
  init(image: String)
  /// What the command line calls the picture.
  var image: String { get }
  /// Why nothing was found out.
  var error: String? { get set }
  /// Prints it for people.
  func show()
}

extension Arguments {
  /// Fills in and shows a record for each picture. One that cannot be read, or that the network cannot take, is told, and the others go on:
  /// at the end that is a ``ToldFailure``.
  ///
  /// - Parameters:
  ///   - name: what the progress bar says.
  ///   - finish: what is shown after all pictures, unless JSON is.
  func record<Record: PictureRecord>(
    _ operands: PictureOperands, name: String,
    filling fill: (_ record: inout Record, _ picture: PictureOperand, _ index: Int) throws -> Void,
    finish: () -> Void = {}
  ) throws {
    let pictures = operands.pictures
    if !operands.leftOut.isEmpty {
      Console.printError("\(pictures.count) pictures; left out: \(operands.leftOut)")
    }
    let bar = ProgressBar()
    var records: [Record] = []
    for (index, picture) in pictures.enumerated() {
      var record = Record(image: picture.name)
      do {
        try fill(&record, picture, index)
      } catch {
        record = Record(image: picture.name)
        record.error = "\(error)"
      }
      bar.finish()
      if let error = record.error { Console.printError("aviary: \(error)") }
      if record.error == nil, !has("json") { record.show() }
      records.append(record)
      bar.update(name, done: index + 1, total: pictures.count)
    }
    bar.finish()
    if has("json") { try Console.printJSON(records) } else { finish() }
    if records.contains(where: { $0.error != nil }) { throw ToldFailure() }
  }
}
