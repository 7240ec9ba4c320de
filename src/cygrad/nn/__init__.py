"""Neural networks: modules, functional forms, initialisation, utilities."""
