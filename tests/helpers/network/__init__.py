"""Bad networks: a proxy that fragments, delays and cuts (`proxy`), and two network namespaces
with a line between them that loses, doubles, delays and reorders packets (`line`,
`namespaces`)."""
