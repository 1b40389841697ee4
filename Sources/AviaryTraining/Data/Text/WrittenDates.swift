import AviaryTensors

/// Dates as people write them, and the same by ISO 8601: `Sunday, 3rd of May, 1998` and `1998-05-03`. A task that translation is learned on in minutes,
/// and made up: which date and how it is written is drawn from a seed.
///
/// Dates are from 1950 to 2049, so that a year of two digits is one of them. Numbers with points have the day first, numbers with strokes the
/// month, and weekdays are right.
public struct WrittenDates: VaryingData {
  /// Whose dates they are: none of one part is another's, however it is written.
  public enum Part: String, Sendable, Hashable, CaseIterable {
    /// 38 of 40 days.
    case training
    /// One of 40 days.
    case validation
    /// Another one of 40.
    case test
  }

  public let count: Int
  /// Whose dates they are.
  public let part: Part
  private let seed: UInt64

  /// `count` dates of a part, drawn from a seed; in a training run each epoch draws others.
  public init(_ part: Part, count: Int, seed: UInt64 = 0) {
    require(count >= 0, "\(count) dates")
    (self.part, self.count, self.seed) = (part, count, seed)
  }

  /// A date as somebody writes it, and by ISO 8601.
  public func example(_ index: Int) -> (text: String, date: String) {
    require(0..<count ~= index, "date \(index) of \(count)")
    return draw(RandomGenerator(seed: seed, path: 0, UInt64(index)))
  }

  public func batch(_ indices: [Int]) -> TextPairBatch { pairs(indices.map(example)) }

  public func batch(_ indices: [Int], epoch: Int, seed: UInt64) -> TextPairBatch {
    pairs(indices.map { draw(RandomGenerator(seed: seed ^ self.seed, path: UInt64(epoch), UInt64($0))) })
  }

  private func pairs(_ examples: [(text: String, date: String)]) -> TextPairBatch {
    TextPairBatch(sources: examples.map(\.text), targets: examples.map(\.date))
  }

  private func draw(_ generator: RandomGenerator) -> (text: String, date: String) {
    let cycle = generator.integer(in: 0..<Self.days / Self.cycle)
    let place =
      switch part {
      case .training: generator.integer(in: 2..<Self.cycle)
      case .validation: 0
      case .test: 1
      }
    let date = CivilDate(daysSince1950: cycle * Self.cycle + place)
    return (date.written(generator), date.iso)
  }

  /// One day of so many is for the validation, and one for the test.
  private static let cycle = 40
  /// From 1950 to 2049.
  private static let days = 36_525

  /// The most characters of a written date: `Wednesday, 22nd of September, 2049` has as many.
  public static let longest = 34

  /// All characters of written dates, in the order of their numbers in Unicode.
  public static let characters: [String] = {
    let words = CivilDate.months + CivilDate.weekdays + ["st", "nd", "rd", "th", "of"]
    let letters = words.flatMap { [$0, $0.lowercased(), $0.uppercased()] }.joined()
    return Set("0123456789 .,/-" + letters).sorted().map { String($0) }
  }()

  /// All characters of ISO 8601's dates.
  public static let isoCharacters = "-0123456789".map { String($0) }
}

/// A day of the Gregorian calendar.
private struct CivilDate {
  let year: Int
  let month: Int
  let day: Int
  /// 0 for Monday.
  let weekday: Int

  static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
  ]
  static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

  /// The day so many days after 1 January 1950, a Sunday.
  init(daysSince1950 days: Int) {
    weekday = (days + 6) % 7
    var (year, rest) = (1950, days)
    while rest >= Self.days(of: year) {
      rest -= Self.days(of: year)
      year += 1
    }
    var month = 1
    while rest >= Self.days(of: month, in: year) {
      rest -= Self.days(of: month, in: year)
      month += 1
    }
    (self.year, self.month, day) = (year, month, rest + 1)
  }

  private static func isLeap(_ year: Int) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  }

  private static func days(of year: Int) -> Int { isLeap(year) ? 366 : 365 }

  private static func days(of month: Int, in year: Int) -> Int {
    month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  var iso: String { "\(year)-\(twoDigits(month))-\(twoDigits(day))" }

  /// One of the ways in which people write it.
  func written(_ generator: RandomGenerator) -> String {
    func isChosen(oneIn count: Int) -> Bool { generator.integer(in: 0..<count) == 0 }
    let (long, weekdayName) = (Self.months[month - 1], Self.weekdays[weekday])
    let name = isChosen(oneIn: 2) ? String(long.prefix(3)) : long
    let short = isChosen(oneIn: 4) ? twoDigits(year % 100) : "\(year)"
    let comma = isChosen(oneIn: 3) ? "," : ""
    let (isoMonth, isoDay) = (twoDigits(month), twoDigits(day))
    let forms = [
      "\(day) \(name) \(short)", "\(ordinal) \(name) \(short)", "\(ordinal) of \(name)\(comma) \(short)",
      "\(name) \(day), \(short)", "\(name) \(ordinal), \(short)", "\(name) \(day) \(short)",
      "\(day).\(month).\(short)", "\(isoDay).\(isoMonth).\(short)", "\(month)/\(day)/\(short)",
      "\(isoMonth)/\(isoDay)/\(short)", "\(day)-\(name)-\(short)", "\(year)-\(isoMonth)-\(isoDay)",
      "\(year)/\(isoMonth)/\(isoDay)", "\(year)\(isoMonth)\(isoDay)",
    ]
    var text = forms[generator.integer(in: 0..<forms.count)]
    if isChosen(oneIn: 3) {
      let prefix = isChosen(oneIn: 2) ? String(weekdayName.prefix(3)) : weekdayName
      text = prefix + (isChosen(oneIn: 2) ? ", " : " ") + text
    }
    switch generator.integer(in: 0..<6) {
    case 0: return text.lowercased()
    case 1: return text.uppercased()
    default: return text
    }
  }

  /// `3rd`
  private var ordinal: String {
    let ending =
      switch day {
      case 1, 21, 31: "st"
      case 2, 22: "nd"
      case 3, 23: "rd"
      default: "th"
      }
    return "\(day)\(ending)"
  }

  private func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
