"""Lesson 14: small weights, keys that carry a row, a layer without some heads, what blocks turn, an order to prune."""
