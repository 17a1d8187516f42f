// Prints the version of the library that this program is linked with.
#include <iostream>
#include <likewise/version.hpp>

int main() { std::cout << "likewise " << likewise::version() << "\n"; }
