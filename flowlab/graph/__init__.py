"""What a flow is made of: definitions, operations and the graph they form.

Nothing here runs an operation, reads a clock or knows where calls happen. Everything is immutable once made, and a
graph that exists is valid: what can be known to be wrong when a flow is built is an error then.
"""

from flowlab.graph.definition import MISSING, Definition
from flowlab.graph.graph import Graph, wire
from flowlab.graph.operation import Operation, operation, resource

__all__ = ["MISSING", "Definition", "Graph", "Operation", "wire", "operation", "resource"]
