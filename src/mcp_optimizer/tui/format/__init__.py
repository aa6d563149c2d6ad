"""From values to text: columns, ages, filters, exports. No widgets."""
