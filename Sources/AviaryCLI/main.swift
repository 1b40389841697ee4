import Foundation

// libgomp reads its settings when it is loaded, before `main`: to change them the program starts itself again, once.
// Between 1000 and 3000 turns, threads that wait give the core up soon enough for other programs and late enough for us.
if getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil {
  setenv("GOMP_SPINCOUNT", "2000", 1)
  var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
  execv("/proc/self/exe", &arguments)
  // Only reached where there is no such file: the setting is then simply not in force.
}

exit(Program.run(Array(CommandLine.arguments.dropFirst())))
