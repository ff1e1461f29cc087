#include "ui/prepare_dialog.h"

#include "engine/engine.h"
#include "ui/accessible.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <cmath>

namespace ui {
namespace {

constexpr int kTextWidth = 460; // pixels of the widest line

struct StoreChoice
{
    engine::KvType type;
    const char* text;
};

constexpr std::array kStores{
    StoreChoice{engine::KvType::Kivi4, QT_TRANSLATE_NOOP("ui::PrepareDialog", "4 bits a number")},
    StoreChoice{
        engine::KvType::Kivi2,
        QT_TRANSLATE_NOOP("ui::PrepareDialog", "2 bits a number, smallest and least exact")},
    StoreChoice{engine::KvType::Int8, QT_TRANSLATE_NOOP("ui::PrepareDialog", "8 bits a number")},
    StoreChoice{engine::KvType::F16,
                QT_TRANSLATE_NOOP("ui::PrepareDialog", "16 bits a number, as it was read")}};

QLabel* wrapped(QWidget* parent)
{
    auto* label = new QLabel(parent);
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setMinimumWidth(kTextWidth);
    return label;
}

} // namespace

PrepareDialog::PrepareDialog(const QString& title, QWidget* parent)
    : QDialog(parent)
    , m_method(new QComboBox(this))
    , m_description(wrapped(this))
    , m_keep(new QSpinBox(this))
    , m_store(new QComboBox(this))
    , m_pages(new QLineEdit(this))
{
    setWindowTitle(tr("Prepare \"%1\"").arg(title));
    m_method->addItem(tr("As usual"), QString());
    for (const engine::MethodInfo& method : engine::methods())
        m_method->addItem(QString::fromStdString(method.title), QString::fromStdString(method.id));
    const engine::PrepareOptions usual;
    nameWidget(m_method, tr("How to choose what is kept"));
    m_keep->setRange(1, 100);
    m_keep->setSuffix(tr(" %"));
    m_keep->setValue(static_cast<int>(std::lround(usual.keep * 100)));
    nameWidget(m_keep, tr("Share of the document's keys and values that is kept"));
    for (const StoreChoice& store : kStores)
        m_store->addItem(tr(store.text), static_cast<int>(store.type));
    nameWidget(m_store, tr("How exactly it is kept"));
    m_pages->setPlaceholderText(tr("None; for instance 1-3, 7"));
    m_pages->setObjectName(QStringLiteral("pages"));
    nameWidget(m_pages, tr("Pages of which everything is kept"));

    auto* form = new QFormLayout;
    form->addRow(tr("&Method"), m_method);
    form->addRow(QString(), m_description);
    form->addRow(tr("&Keep"), m_keep);
    form->addRow(tr("&Store"), m_store);
    form->addRow(tr("&Pages kept whole"), m_pages);
    auto* note = wrapped(this);
    note->setText(tr("The document is read anew. What was prepared before stays until you remove "
                     "the document; questions go to the newest."));
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    buttons->addButton(tr("Prepare"), QDialogButtonBox::AcceptRole)->setDefault(true);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* layout = new QVBoxLayout(this);
    layout->addLayout(form);
    layout->addWidget(note);
    layout->addWidget(buttons);
    connect(m_method, &QComboBox::currentIndexChanged, this, &PrepareDialog::showMethod);
    showMethod();
}

app::PrepareChoice PrepareDialog::choice() const
{
    return {.method = m_method->currentData().toString().toStdString(),
            .keep = m_keep->value() / 100.0,
            .store = static_cast<engine::KvType>(m_store->currentData().toInt()),
            .pages = m_pages->text().toStdString()};
}

void PrepareDialog::showMethod()
{
    const std::string id = m_method->currentData().toString().toStdString();
    const std::vector<engine::MethodInfo> methods = engine::methods();
    const auto method = std::ranges::find(methods, id, &engine::MethodInfo::id);
    m_keep->setEnabled(method == methods.end() || method->usesKeep);
    if (method == methods.end()) {
        m_description->setText(
            tr("What Epitome's own trained reader reads, and any text longer than its model's "
               "window, is kept whole. Of everything else %1, or the reader's own beacons where it "
               "comes with them, keeps the share below.")
                .arg(QString::fromStdString(engine::PrepareOptions{}.method)));
    } else {
        m_description->setText(tr("%1\n%2").arg(QString::fromStdString(method->description),
                                                QString::fromStdString(method->source)));
    }
    adjustSize();
}

} // namespace ui
