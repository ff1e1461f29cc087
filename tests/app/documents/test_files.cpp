#include "tests/app/documents/test_files.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <zip.h>

namespace tests {

TemporaryFolder::TemporaryFolder()
{
    std::string name =
        (std::filesystem::temp_directory_path() / "epitome-documents-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
        throw std::runtime_error("no temporary folder");
    m_path = name;
}

TemporaryFolder::~TemporaryFolder()
{
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
}

std::filesystem::path TemporaryFolder::write(const std::string& name, std::string_view bytes) const
{
    const std::filesystem::path file = m_path / name;
    std::ofstream(file, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file;
}

void writeArchive(const std::filesystem::path& file, const ArchiveEntries& entries)
{
    int code = 0;
    zip_t* archive = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (archive == nullptr)
        throw std::runtime_error("no archive");
    for (const auto& [name, content] : entries) {
        zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
        zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8 | ZIP_FL_OVERWRITE);
    }
    if (zip_close(archive) != 0)
        throw std::runtime_error("archive not written");
}

ArchiveEntries bookWith(const std::vector<std::string>& bodies)
{
    ArchiveEntries entries = {
        {"mimetype", "application/epub+zip"},
        {"META-INF/container.xml",
         R"(<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>)"
         R"(<rootfile full-path="OPS/package.opf" media-type="application/oebps-package+xml"/>)"
         "</rootfiles></container>"}};
    std::string manifest;
    std::string spine;
    std::string contents;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        const std::string id = "part" + std::to_string(i + 1);
        manifest += "<item id=\"" + id + "\" href=\"" + id +
                    ".xhtml\" media-type=\"application/xhtml+xml\"/>";
        spine += "<itemref idref=\"" + id + "\"/>";
        contents += "<li><a href=\"" + id + ".xhtml\">Part " + std::to_string(i + 1) + "</a></li>";
        entries.emplace_back(
            "OPS/" + id + ".xhtml",
            "<html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>t</title></head><body>" +
                bodies[i] + "</body></html>");
    }
    entries.emplace_back("OPS/package.opf",
                         "<?xml version=\"1.0\"?><package xmlns=\"http://www.idpf.org/2007/opf\" "
                         "version=\"3.0\"><metadata xmlns:dc=\"http://purl.org/dc/elements/1.1/\">"
                         "<dc:title>A Small Book</dc:title><dc:creator>Ann Author</dc:creator>"
                         "<dc:creator>Bob Writer</dc:creator></metadata><manifest>"
                         "<item id=\"nav\" href=\"nav.xhtml\" media-type=\"application/xhtml+xml\" "
                         "properties=\"nav\"/>" +
                             manifest + "</manifest><spine>" + spine + "</spine></package>");
    entries.emplace_back(
        "OPS/nav.xhtml",
        "<html xmlns:epub=\"http://www.idpf.org/2007/ops\"><body><nav epub:type=\"toc\"><ol>" +
            contents + "</ol></nav></body></html>");
    return entries;
}

std::string makePdf(const std::vector<PdfPage>& pages, const std::string& catalogEntries)
{
    // Objects 1 to 3 are the catalog, the page tree and the font; each page is two more.
    std::vector<std::string> objects(3);
    objects[0] = "<< /Type /Catalog /Pages 2 0 R " + catalogEntries + " >>";
    objects[2] =
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";
    std::string kids;
    for (const PdfPage& page : pages) {
        std::string stream = page.drawing + "\n";
        for (const PdfText& text : page.texts)
            stream += "BT /F1 " + std::to_string(text.size) + " Tf " + std::to_string(text.x) +
                      " " + std::to_string(text.baseline) + " Td (" + text.text + ") Tj ET\n";
        const std::string number = std::to_string(objects.size() + 1);
        kids += number + " 0 R ";
        objects.push_back("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 " +
                          std::to_string(page.width) + " " + std::to_string(page.height) +
                          "] /Resources << /Font << /F1 3 0 R >> >> /Contents " +
                          std::to_string(objects.size() + 2) + " 0 R >>");
        objects.push_back("<< /Length " + std::to_string(stream.size()) + " >>\nstream\n" + stream +
                          "\nendstream");
    }
    objects[1] =
        "<< /Type /Pages /Count " + std::to_string(pages.size()) + " /Kids [ " + kids + "] >>";

    std::string pdf = "%PDF-1.4\n";
    std::string table = "0000000000 65535 f \n";
    for (std::size_t i = 0; i < objects.size(); ++i) {
        std::string offset = std::to_string(pdf.size());
        table += std::string(10 - offset.size(), '0') + offset + " 00000 n \n";
        pdf += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
    }
    const std::string count = std::to_string(objects.size() + 1);
    const std::string tableOffset = std::to_string(pdf.size());
    pdf += "xref\n0 " + count + "\n" + table + "trailer\n<< /Size " + count +
           " /Root 1 0 R >>\nstartxref\n" + tableOffset + "\n%%EOF\n";
    return pdf;
}

} // namespace tests
