// One function a subcommand: adds its options to the application and, when it was named, runs it and sets
// `status`.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace carrel::cli {

void add_run(CLI::App& app, int& status);
void add_guest(CLI::App& app, int& status);
void add_host(CLI::App& app, int& status);
void add_ctl(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_schema(CLI::App& app, int& status);
void add_simulate(CLI::App& app, int& status);
void add_top(CLI::App& app, int& status);
void add_version(CLI::App& app, int& status);
std::string version_text();

}  // namespace carrel::cli
