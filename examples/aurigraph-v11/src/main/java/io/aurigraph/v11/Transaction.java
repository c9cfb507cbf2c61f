// SPDX-License-Identifier: GPL-3.0-or-later
package io.aurigraph.v11;

import java.math.BigDecimal;
import java.time.OffsetDateTime;

/** A stored transaction. */
public record Transaction(long id, String key, String reference, BigDecimal amount, OffsetDateTime created) {}
