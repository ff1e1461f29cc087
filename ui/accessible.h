#pragma once

#include <QString>
#include <QWidget>

namespace ui {

/// Gives a widget the name that a screen reader says, and the same as a tooltip when it has none.
inline void nameWidget(QWidget* widget, const QString& name)
{
    widget->setAccessibleName(name);
    if (widget->toolTip().isEmpty())
        widget->setToolTip(name);
}

} // namespace ui
