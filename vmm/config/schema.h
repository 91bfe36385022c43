// What may be said, as a JSON Schema (draft 2020-12), made of the tables of keys.
#pragma once

#include <string>

namespace carrel::config {

std::string schema_json();

}  // namespace carrel::config
