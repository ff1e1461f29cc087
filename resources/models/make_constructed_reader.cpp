// Writes the constructed reader: make_constructed_reader MERGES TEMPLATE OUTPUT.

#include "engine/error.h"

#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "resources/models/constructed_reader.h"

namespace {

std::ifstream openFile(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw engine::Error(engine::ErrorCode::NotFound,
                            "The file " + path + " cannot be opened; check the path.");
    }
    return file;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 4) {
        std::cerr << "Use: make_constructed_reader MERGES TEMPLATE OUTPUT\n";
        return 2;
    }
    try {
        std::ifstream merges = openFile(argv[1]);
        std::ifstream chatFile = openFile(argv[2]);
        const std::string chatTemplate{std::istreambuf_iterator<char>(chatFile), {}};
        resources::makeConstructedReader(merges, chatTemplate).write(argv[3]);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
