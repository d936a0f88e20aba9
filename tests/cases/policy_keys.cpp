// Prints, as JSON, the keys that the parser knows for each kind of map in the policy files named.
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>

#include "rules/policy/parse.h"

int main(int count, char** arguments) {
  fwctl::policy::KnownKeys known;
  for (const char* name : std::span(arguments, static_cast<std::size_t>(count)).subspan(1)) {
    std::ifstream file(name, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    fwctl::Diagnostics ignored;
    fwctl::policy::parse({.managed = {{.name = name, .text = text}}}, ignored, &known);
  }
  std::cout << nlohmann::json(known) << "\n";
}
