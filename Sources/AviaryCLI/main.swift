import Foundation

// libgomp reads its settings when it is loaded, before `main`: to change them the program starts itself again, once.
// A thread that waits longer for the others than some 800 turns gives its core up: fewer turns cost time on an idle machine, more beside
// a busy program (MobileNet v2's convolutions on two cores, idle and beside a busy one: 500 turns 4.1 and 8.5 ms, 800 3.6 and 9.0, 2000
// 3.9 and 12.5).
if getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil {
  setenv("GOMP_SPINCOUNT", "800", 1)
  var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
  execv("/proc/self/exe", &arguments)
  // Only reached where there is no such file: the setting is then simply not in force.
}

exit(Program.run(Array(CommandLine.arguments.dropFirst())))
